import { StringDecoder } from 'node:string_decoder';
import type { BuildEvent, Progress } from '@gantry/sdk/engine';

/**
 * A build as Docker's classic builder tells it. Stages that run at the same time are told one after the other: the first that has not ended
 * at once, what the others said when its turn comes.
 */
export class BuildLines {
  readonly #report: (progress: Progress) => void;
  /** In the order in which they began. */
  readonly #stages: StageLines[] = [];
  readonly #stageOf = new Map<number, number>();
  readonly #tagged: string[] = [];

  constructor(report: (progress: Progress) => void) {
    this.#report = report;
  }

  take(event: BuildEvent): void {
    if (event.kind === 'step') this.#stageOf.set(event.step, event.stage);
    if (event.kind === 'tagged') this.#tagged.push(event.reference);
    else if (event.kind === 'stage') this.#end(event.stage);
    else if (event.kind === 'warning' && event.step === undefined) this.#report({ stream: `${event.text}\n` });
    else
      for (const line of this.#stage(this.#stageOf.get(event.step ?? 0) ?? 0).linesOf(event))
        this.#say(this.#stageOf.get(event.step ?? 0) ?? 0, line);
  }

  /** All of it was built. */
  finish(imageId: string): void {
    this.flush();
    this.#report({ aux: { ID: imageId } });
    this.#report({ stream: `Successfully built ${short(imageId)}\n` });
    for (const reference of this.#tagged) this.#report({ stream: `Successfully tagged ${reference}\n` });
  }

  /** What waited for its turn, because no more comes. */
  flush(): void {
    for (const { waiting } of this.#stages.splice(0)) for (const line of waiting) this.#report(line);
  }

  #stage(stage: number): StageLines {
    let found = this.#stages.find(({ number }) => number === stage);
    if (found === undefined) {
      found = new StageLines(stage);
      this.#stages.push(found);
    }
    return found;
  }

  #say(stage: number, line: Progress): void {
    if (this.#stages[0]?.number === stage) this.#report(line);
    else this.#stage(stage).waiting.push(line);
  }

  #end(stage: number): void {
    this.#stage(stage).hasEnded = true;
    while (this.#stages[0]?.hasEnded === true) {
      this.#stages.shift();
      for (const line of this.#stages[0]?.waiting.splice(0) ?? []) this.#report(line);
    }
  }
}

class StageLines {
  readonly number: number;
  readonly waiting: Progress[] = [];
  hasEnded = false;
  readonly #bases = new Set<number>();
  readonly #decoders = new Map<string, StringDecoder>();

  constructor(number: number) {
    this.number = number;
  }

  linesOf(event: BuildEvent): readonly Progress[] {
    switch (event.kind) {
      case 'step': {
        if (/^FROM\s/i.test(event.text)) this.#bases.add(event.step);
        if (event.isTrigger) return [{ stream: `# Executing 1 build trigger: ${event.text}\n` }];
        return [{ stream: `Step ${event.number}/${event.total} : ${event.text}` }, { stream: '\n' }];
      }
      case 'container':
        return [
          {
            stream: event.isRemoved ? ` ---> Removed intermediate container ${short(event.id)}\n` : ` ---> Running in ${short(event.id)}\n`,
          },
        ];
      case 'output':
        return this.#output(event.step, event.source, event.data);
      case 'progress':
        return [event.progress];
      case 'warning':
        return [{ stream: `${event.text}\n` }];
      case 'done':
        return [
          ...(event.isCached && !this.#bases.has(event.step) ? [{ stream: ' ---> Using cache\n' }] : []),
          { stream: ` ---> ${short(event.imageId)}\n` },
        ];
      case 'failed':
      case 'stage':
      case 'tagged':
        return [];
      default:
        return event satisfies never;
    }
  }

  /** What goes to stderr is red, as Docker has it. A character may come in two pieces. */
  #output(step: number, source: 'stdout' | 'stderr', data: Buffer): readonly Progress[] {
    const key = `${step} ${source}`;
    const decoder = this.#decoders.get(key) ?? new StringDecoder('utf8');
    this.#decoders.set(key, decoder);
    const text = decoder.write(data);
    if (text === '') return [];
    return [{ stream: source === 'stdout' ? text : `\u001B[91m${text}\u001B[0m` }];
  }
}

function short(id: string): string {
  return id.replace('sha256:', '').slice(0, 12);
}

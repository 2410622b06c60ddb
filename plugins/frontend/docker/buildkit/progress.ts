import { createHash } from 'node:crypto';
import type { BuildEvent } from '@gantry/sdk/engine';
import { failureText } from './build-failure.ts';
import { timestamp } from './messages.ts';

/** One message of BuildKit's Status stream. */
export type StatusUpdate = Readonly<Record<'vertexes' | 'statuses' | 'logs' | 'warnings', readonly object[]>>;

const nothing: StatusUpdate = { vertexes: [], statuses: [], logs: [], warnings: [] };

/** A build's events as BuildKit tells them: a step is a vertex, its output are logs, what is fetched are statuses. */
export class BuildProgress {
  readonly #ref: string;
  readonly #platform: string;
  readonly #vertexes = new Map<number, { readonly name: string; readonly inputs: readonly string[]; readonly started: number }>();
  readonly #begun = new Map<string, number>();

  /** `platform`: of one of the builds for several. */
  constructor(ref: string, platform = '') {
    this.#ref = platform === '' ? ref : `${ref} ${platform}`;
    this.#platform = platform;
  }

  /** Nothing for what BuildKit's clients have no place for. */
  take(event: BuildEvent, nowMs = Date.now()): StatusUpdate | undefined {
    switch (event.kind) {
      case 'step': {
        if (event.stage < 0) return undefined;
        const place = [this.#platform, event.stageName].filter((word) => word !== '').map((word) => `${word} `);
        const name = `[${place.join('')}${event.number}/${event.total}] ${event.text}`;
        this.#vertexes.set(event.step, { name, inputs: event.after.map((step) => this.vertexOf(step)), started: nowMs });
        return { ...nothing, vertexes: [this.#vertex(event.step, {})] };
      }
      case 'output':
        return {
          ...nothing,
          logs: [
            { vertex: this.vertexOf(event.step), timestamp: timestamp(nowMs), stream: event.source === 'stdout' ? 1 : 2, msg: event.data },
          ],
        };
      case 'progress':
        return this.#fetching(event.step, event.progress, nowMs);
      case 'warning':
        return { ...nothing, warnings: [{ vertex: this.vertexOf(event.step ?? 1), level: 1, short: Buffer.from(event.text) }] };
      case 'done':
        return { ...nothing, vertexes: [this.#vertex(event.step, { completed: timestamp(nowMs), cached: event.isCached })] };
      case 'failed':
        return { ...nothing, vertexes: [this.#vertex(event.step, { completed: timestamp(nowMs), error: failureText(event.error) })] };
      case 'container':
      case 'stage':
      case 'tagged':
        return undefined;
      default:
        return event satisfies never;
    }
  }

  /** Something of the door itself, as "exporting to image": it begins, and it ends. */
  own(name: string, times: { readonly startedMs: number; readonly completedMs?: number; readonly error?: string }): StatusUpdate {
    const { startedMs, completedMs, error } = times;
    const vertex = { digest: digestOf(`${this.#ref} ${name}`), name, started: timestamp(startedMs) };
    return {
      ...nothing,
      vertexes: [
        {
          ...vertex,
          ...(completedMs === undefined ? {} : { completed: timestamp(completedMs) }),
          ...(error === undefined ? {} : { error }),
        },
      ],
    };
  }

  #fetching(
    step: number,
    {
      id,
      status,
      progressDetail,
    }: { readonly id?: string; readonly status?: string; readonly progressDetail?: { readonly current?: number; readonly total?: number } },
    nowMs: number,
  ): StatusUpdate | undefined {
    if (id === undefined || status === undefined) return undefined;
    const started = this.#begun.get(id) ?? nowMs;
    this.#begun.set(id, started);
    const isOver = /complete|Already exists/i.test(status);
    return {
      ...nothing,
      statuses: [
        {
          ID: id,
          vertex: this.vertexOf(step),
          name: status,
          current: progressDetail?.current ?? 0,
          total: progressDetail?.total ?? 0,
          timestamp: timestamp(nowMs),
          started: timestamp(started),
          ...(isOver ? { completed: timestamp(nowMs) } : {}),
        },
      ],
    };
  }

  #vertex(step: number, more: object): object {
    const { name = '', inputs = [], started = Date.now() } = this.#vertexes.get(step) ?? {};
    return { digest: this.vertexOf(step), name, inputs, started: timestamp(started), ...more };
  }

  /** Vertexes are named by digests; those of one build differ from those of another. */
  vertexOf(step: number): string {
    return digestOf(`${this.#ref} ${step}`);
  }
}

function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

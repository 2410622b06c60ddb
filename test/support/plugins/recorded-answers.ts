import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { codeOf, type DriverKind, type DriverKinds, GantryError, messageOf } from '@gantry/sdk';
import { methodsOf } from '../../../core/drivers/index.ts';
import type { DriverPlacement } from './placed-driver.ts';

interface Noted {
  readonly method: string;
  readonly request: unknown;
  readonly answer: unknown;
}
export interface AnswersOptions {
  /** Cases that ask for as much as there is time for, or give up after a time. */
  readonly timed?: readonly string[];
  /** What is another at each run, by a pattern: times, process ids, addresses that the kernel chose. */
  readonly varying?: readonly RegExp[];
  /** Methods whose answers are measurements: only their shape counts. */
  readonly measuring?: readonly string[];
  /** What of a stream's items counts, where their number hangs on time. */
  readonly ofStream?: (method: string, items: readonly unknown[]) => unknown;
}

/** Everything that one driver answered in each placement, by case, so that the placements can be compared. */
export class Answers {
  readonly #options: AnswersOptions;
  readonly #notes = new Map<string, Map<DriverPlacement, Noted[]>>();

  constructor(options: AnswersOptions = {}) {
    this.#options = options;
  }

  /** The driver, with every call noted under the case. */
  noted<Kind extends DriverKind>(
    driver: DriverKinds[Kind],
    {
      kind,
      placement,
      name,
      roots,
    }: { readonly kind: Kind; readonly placement: DriverPlacement; readonly name: string; readonly roots: readonly string[] },
  ): DriverKinds[Kind] {
    const byPlacement = this.#notes.get(name) ?? new Map<DriverPlacement, Noted[]>();
    this.#notes.set(name, byPlacement);
    const notes = byPlacement.get(placement) ?? [];
    byPlacement.set(placement, notes);
    const plain = (value: unknown): unknown => this.#plain(value, roots);
    return new Proxy<object>(driver, {
      get: (target, method) => {
        const found: unknown = Reflect.get(target, method);
        if (typeof found !== 'function' || typeof method !== 'string' || !(method in methodsOf[kind])) return found;
        return (request: unknown, ctx: unknown) => {
          const asked: unknown[] = [];
          const given = isStream(request) ? tapped(request, (item) => asked.push(plain(item))) : request;
          const note = (answer: unknown): void => void notes.push({ method, request: isStream(request) ? asked : plain(request), answer });
          const refused = (error: unknown): never => {
            note({ error: plain(errorFacts(error)) });
            throw error;
          };
          const answer = Reflect.apply(found, target, [given, ctx]) as AsyncIterable<unknown> | Promise<unknown>;
          if (!isStream(answer)) return answer.then((value) => (note(plain(value)), value), refused);
          const items: unknown[] = [];
          return tapped(answer, (item) => items.push(plain(item)), {
            end: () => note({ items: this.#options.ofStream?.(method, items) ?? items }),
            refused,
          });
        };
      },
    }) as DriverKinds[Kind];
  }

  /** One test: what was answered in every placement is the same. */
  compare(label: string): void {
    test(`the ${label} answers the same in every placement`, () => {
      assert.notEqual(this.#notes.size, 0);
      for (const [name, byPlacement] of this.#notes) {
        if (this.#options.timed?.includes(name) === true) continue;
        // A case that was skipped in a placement asked nothing there.
        const asked = [...byPlacement].filter(([, notes]) => notes.length > 0);
        const [first, ...others] = asked.map(([placement, notes]) => ({ placement, answers: this.#comparable(name, notes) }));
        for (const { placement, answers } of others)
          assert.deepEqual(answers, first?.answers, `${name}: ${placement} and ${first?.placement}`);
      }
    });
  }

  /** Calls in parallel end in any order, and a case may ask until something is so: what counts is which answers there were. */
  #comparable(name: string, notes: readonly Noted[]): readonly unknown[] {
    const isParallel = name.startsWith('parallel.');
    const parts = notes.flatMap(({ method, request, answer }): readonly Partial<Noted>[] => {
      // Who of many that ask at once gets which answer is chance.
      if (this.#options.measuring?.includes(method) === true) return [{ method, request, answer: shapeOf(answer) }];
      return isParallel
        ? [
            { method, request },
            { method, answer },
          ]
        : [{ method, request, answer }];
    });
    return [...new Map(parts.map((part) => [JSON.stringify(part), part])).entries()]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, part]) => part);
  }

  #plain(value: unknown, roots: readonly string[]): unknown {
    if (value === undefined || typeof value === 'function') return `<${typeof value}>`;
    if (typeof value === 'string') {
      const text = roots.reduce((rest, root) => rest.replaceAll(root, '<root>'), value).replaceAll(/[0-9a-f]{64}/g, '<id>');
      return (this.#options.varying ?? []).reduce((rest, pattern) => rest.replaceAll(pattern, '<varies>'), text);
    }
    if (typeof value === 'bigint' || typeof value !== 'object' || value === null) return value;
    if (value instanceof Date) return `<date ${Number.isNaN(value.getTime())}>`;
    if (value instanceof Uint8Array)
      return `<${value.constructor.name} ${value.length} ${createHash('sha256').update(value).digest('hex').slice(0, 16)}>`;
    if (Array.isArray(value)) return value.map((item) => this.#plain(item, roots));
    const entries = Object.entries(value).map(
      ([key, item]) => [key, varyingFields.has(key) && item !== undefined ? `<${typeof item}>` : this.#plain(item, roots)] as const,
    );
    return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }
}

const varyingFields = new Set(['pid', 'pids', 'monitorPid', 'createdAt', 'created', 'startedAt', 'finishedAt', 'exitedAt', 'dir']);

function shapeOf(value: unknown): unknown {
  if (typeof value === 'number') return '<number>';
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shapeOf(item)]));
}

/** All that a caller can build on. */
function errorFacts(error: unknown): unknown {
  const { hint, reason, facts, retryAfterMs } = GantryError.is(error) ? error : {};
  const name = error instanceof Error && error.name === 'AbortError' ? error.name : undefined;
  return { code: codeOf(error), message: messageOf(error), hint, reason, facts: facts ?? {}, retryAfterMs, name };
}

const isStream = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value;

async function* tapped(
  items: AsyncIterable<unknown>,
  note: (item: unknown) => void,
  { end = () => {}, refused }: { readonly end?: () => void; readonly refused?: (error: unknown) => never } = {},
): AsyncIterable<unknown> {
  try {
    for await (const item of items) {
      note(item);
      yield item;
    }
  } catch (error) {
    refused?.(error);
    throw error;
  }
  end();
}

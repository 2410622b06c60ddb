import { internal } from '@gantry/sdk';

/** One JSON object that a plugin answered. */
export type Answer = Readonly<Record<string, unknown>>;

/** A field of an answer whatever the case of its name, as Go reads JSON; absent and null are both undefined. */
export function field(answer: Answer, name: string): unknown {
  if (Object.hasOwn(answer, name)) return answer[name] ?? undefined;
  const wanted = name.toLowerCase();
  const found = Object.keys(answer).find((key) => key.toLowerCase() === wanted);
  return found === undefined ? undefined : (answer[found] ?? undefined);
}

/** "" when absent; another type than text is the plugin's mistake. */
export function textOf(answer: Answer, name: string): string {
  const value = field(answer, name) ?? '';
  if (typeof value !== 'string') throw internal(`the plugin answered ${name} as ${typeof value} instead of text`);
  return value;
}

export function flagOf(answer: Answer, name: string): boolean {
  return field(answer, name) === true;
}

/** {} when absent. */
export function objectOf(answer: Answer, name: string): Answer {
  const value = field(answer, name) ?? {};
  if (!isObject(value)) throw internal(`the plugin answered ${name} as ${typeof value} instead of an object`);
  return value;
}

/** Its objects; [] when absent. */
export function listOf(answer: Answer, name: string): readonly Answer[] {
  const value = field(answer, name) ?? [];
  if (!Array.isArray(value)) throw internal(`the plugin answered ${name} as ${typeof value} instead of a list`);
  return value.filter(isObject);
}

export function isObject(value: unknown): value is Answer {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

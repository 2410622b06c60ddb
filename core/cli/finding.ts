/** What the doctor saw: `fail` will not work, `warn` may not. */
export interface Finding {
  readonly level: 'ok' | 'warn' | 'fail';
  /** What it is about: "manifest", "entry", a file. */
  readonly about: string;
  readonly message: string;
  readonly fix?: string;
}

export const ok = (about: string, message: string): Finding => ({ level: 'ok', about, message });
export const warn = (about: string, message: string, fix: string): Finding => ({ level: 'warn', about, message, fix });
export const fail = (about: string, message: string, fix: string): Finding => ({ level: 'fail', about, message, fix });

/** A finding for people, with what to do in a second line. */
export function show({ level, about, message, fix }: Finding): string {
  const line = `${level.padEnd(4)}  ${about}: ${message}`;
  return fix === undefined ? line : `${line}\n      fix: ${fix}`;
}

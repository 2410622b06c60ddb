import type { Logger } from '../types/index.ts';

/** A logger for whoever keeps the lines of this process: level, message, and what else was said as JSON. */
export function linesLog(write: (line: string) => void, bindings: Readonly<Record<string, unknown>> = {}): Logger {
  const at =
    (level: string) =>
    (fields: object | string, message = ''): void => {
      const all = { ...bindings, ...(typeof fields === 'string' ? {} : fields) };
      const rest = Object.keys(all).length === 0 ? '' : ` ${JSON.stringify(all, plain)}`;
      write(`${level} ${(typeof fields === 'string' ? fields : message).slice(0, 16_384)}${rest.slice(0, 16_384)}\n`);
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (more) => linesLog(write, { ...bindings, ...more }),
  };
}

/** Errors have no enumerable properties, yet they are what is logged most. */
function plain(_key: string, value: unknown): unknown {
  if (value instanceof Error) return value.message;
  return typeof value === 'bigint' ? String(value) : value;
}

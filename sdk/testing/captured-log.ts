import type { Logger } from '../types/index.ts';

export interface CapturedLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A logger that keeps what it is told in `lines`. */
export function capturedLog(lines: CapturedLine[], bindings: Readonly<Record<string, unknown>> = {}): Logger {
  const at =
    (level: CapturedLine['level']) =>
    (fields: object | string, message?: string): void => {
      const given = typeof fields === 'string' ? {} : fields;
      lines.push({ level, message: typeof fields === 'string' ? fields : (message ?? ''), fields: { ...bindings, ...given } });
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (more) => capturedLog(lines, { ...bindings, ...more }),
  };
}

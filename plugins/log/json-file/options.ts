import { invalidArgument } from '@gantry/sdk';
import { checkLogOptions, parseLogSize } from '@gantry/sdk/log';

export interface FileOptions {
  /** Infinity: never rotated. */
  readonly maxBytes: number;
  readonly maxFiles: number;
  readonly compress: boolean;
}

type Options = Readonly<Record<string, string>>;

/** Fails with `invalid_argument` that names the unknown or malformed option. */
export function checkOptions(options: Options): void {
  checkLogOptions('json-file', options, {
    'max-size': parseLogSize,
    'max-file': (value) => void maxFilesOf(value),
    compress: (value) => void isTrue(value),
  });
  const { maxBytes, maxFiles, compress } = fileOptions(options);
  if (compress && (maxFiles < 2 || maxBytes === Number.POSITIVE_INFINITY)) {
    throw invalidArgument('compress cannot be true when max-file is less than 2 or max-size is not set');
  }
}

export function fileOptions(options: Options): FileOptions {
  const size = options['max-size'];
  return {
    maxBytes: size === undefined ? Number.POSITIVE_INFINITY : parseLogSize(size, 'max-size'),
    maxFiles: maxFilesOf(options['max-file'] ?? '1'),
    compress: isTrue(options['compress'] ?? 'false'),
  };
}

function maxFilesOf(text: string): number {
  const count = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (count < 1) throw invalidArgument(`log opt max-file=${text}: max-file cannot be less than 1`);
  return count;
}

function isTrue(text: string): boolean {
  if (/^(1|t|true)$/i.test(text)) return true;
  if (/^(0|f|false|)$/i.test(text)) return false;
  throw invalidArgument(`log opt compress=${text}: must be true or false`);
}

import { invalidArgument } from '../../errors.ts';
import { checkLogOptions, parseLogFlag, parseLogSize } from '../options.ts';

export interface FileOptions {
  /** Infinity: never rotated. */
  readonly maxBytes: number;
  readonly maxFiles: number;
  readonly compress: boolean;
}

type Options = Readonly<Record<string, string>>;

/** Fails with `invalid_argument` that names the unknown or malformed option. */
export function checkFileOptions(driver: string, options: Options, defaults: FileOptions): void {
  checkLogOptions(driver, options, {
    'max-size': parseLogSize,
    'max-file': (value) => void maxFilesOf(value),
    compress: parseLogFlag,
  });
  const { maxBytes, maxFiles, compress } = fileOptions(options, defaults);
  if (compress && (maxFiles < 2 || maxBytes === Number.POSITIVE_INFINITY)) {
    throw invalidArgument('compress cannot be true when max-file is less than 2 or max-size is not set');
  }
}

export function fileOptions(options: Options, defaults: FileOptions): FileOptions {
  const { 'max-size': size, 'max-file': files, compress } = options;
  return {
    maxBytes: size === undefined ? defaults.maxBytes : parseLogSize(size, 'max-size'),
    maxFiles: files === undefined ? defaults.maxFiles : maxFilesOf(files),
    compress: compress === undefined ? defaults.compress : parseLogFlag(compress, 'compress'),
  };
}

function maxFilesOf(text: string): number {
  const count = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (count < 1) throw invalidArgument(`log opt max-file=${text}: max-file cannot be less than 1`);
  return count;
}

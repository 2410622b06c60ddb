import { dirname, join, normalize } from 'node:path';
import { parseSync } from 'oxc-parser';

export interface Import {
  readonly line: number;
  /** A path from the top of the repository, or a package with its subpath. */
  readonly target: string;
  readonly isType: boolean;
}

/** Every static, dynamic and re-exporting import of a file whose target is written out. */
export function importsOf(file: string, source: string): readonly Import[] {
  const { module, errors } = parseSync(file, source);
  const [error] = errors;
  if (error !== undefined) throw new Error(`${file}: ${error.message}`);
  const found = [
    ...module.staticImports.map(({ moduleRequest, entries }) => ({
      ...moduleRequest,
      isType: entries.length > 0 && entries.every(({ isType }) => isType),
    })),
    ...module.staticExports.flatMap(({ entries }) =>
      entries.flatMap(({ moduleRequest, isType }) => (moduleRequest ? [{ ...moduleRequest, isType }] : [])),
    ),
    ...module.dynamicImports.flatMap(({ moduleRequest: { start, end } }) => {
      const value = /^(['"])(.*)\1$/.exec(source.slice(start, end))?.[2];
      return value === undefined ? [] : [{ value, start, isType: false }];
    }),
  ];
  return found.map(({ value, start, isType }) => ({
    line: source.slice(0, start).split('\n').length,
    target: resolve(file, value),
    isType,
  }));
}

function resolve(file: string, specifier: string): string {
  if (specifier.startsWith('.')) return normalize(join(dirname(file), specifier));
  return specifier.replace(/^@gantry\/sdk(?=\/|$)/, 'sdk');
}

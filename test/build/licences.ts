import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The licences of the packages that are bundled, which they ask to be told with their code. */
export function licences(top: string, inputs: readonly string[]): string {
  const folders = new Set(inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []));
  return [...folders]
    .toSorted()
    .map((folder) => `${titleOf(join(top, folder))}\n\n${textOf(join(top, folder))}\n`)
    .join(`\n${'-'.repeat(80)}\n\n`);
}

function titleOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>;
  return `${String(name)} ${String(version)} (${String(license)})`;
}

function textOf(folder: string): string {
  const [file] = globSync('{LICEN[CS]E,licen[cs]e,License}*', { cwd: folder });
  return file === undefined || !existsSync(join(folder, file)) ? '' : readFileSync(join(folder, file), 'utf8').trim();
}

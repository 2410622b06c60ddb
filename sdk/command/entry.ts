import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { invalidArgument } from '../errors.ts';
import type { Manifest } from '../manifest.ts';
import { programOf } from '../serve/start.ts';

/** Refuses a plugin whose code is not there, once and not in every case. */
export function checkEntry(dir: string, manifest: Manifest): void {
  const { name, entry } = manifest;
  const [program] = programOf(dir, manifest);
  const path = entry.node === undefined ? program : join(dir, entry.node);
  const field =
    entry.node === undefined ? `entry.exec is ${JSON.stringify(entry.exec?.[0])}` : `entry.node is ${JSON.stringify(entry.node)}`;
  if (!existsSync(path)) throw invalidArgument(`plugin ${name}: ${field}, and ${path} is not there`, { hint: 'build the plugin first' });
  if (entry.node !== undefined) return;
  try {
    accessSync(path, constants.X_OK);
  } catch (cause) {
    throw invalidArgument(`plugin ${name}: ${field}, and ${path} is no program`, { cause, hint: `chmod +x ${path}` });
  }
}

import { resolve } from 'node:path';
import { usageReason } from '../../command.ts';
import { invalidArgument } from '@gantry/sdk/errors';

export const sourcesHelp = `SOURCE is one of
  reg.example:5000/acme/nfs:1.4    from a registry (also oci:reference, with @sha256:… for exactly that)
  npm:@acme/gantry-nfs@1.4.0       from npm
  ./nfs.tgz                        a file that npm pack or gantry plugin pack wrote
  ./nfs                            a folder with gantry-plugin.json, on the machine of the engine`;

/** As the engine takes it: paths, which start with a dot or a slash, are made absolute. */
export function readSource(given: string): string {
  if (given === '')
    throw invalidArgument('the source is empty', { hint: 'name a reference, npm:package, file or folder', reason: usageReason });
  const path = given.startsWith('folder:') ? given.slice('folder:'.length) : given;
  const isPath = path !== given || /^\.{0,2}\/|^\.{1,2}$/.test(given);
  if (!isPath) return given;
  return path.endsWith('.tgz') ? resolve(path) : `folder:${resolve(path)}`;
}

/** Where the newest of the same plugin comes from: what it was installed from, without the version that was pinned. */
export function newestOf(source: string): string {
  if (source.startsWith('oci:')) return source.replace(/@sha256:[0-9a-f]+$/, '');
  if (source.startsWith('npm:')) return source.replace(/(?<=.)@[^@/]*$/, '');
  return source;
}

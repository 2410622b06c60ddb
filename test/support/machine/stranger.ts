import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { CliResult } from '../clients/docker-api.ts';
import type { Packages } from '../plugins/packed.ts';

const root = join(import.meta.dirname, '../../..');
/** Where a program of ours is, by its path in the sources. */
let placeOf = (file: string): string => join(root, file);

/** From now on nothing of the sources is run, but what was published. */
export function useOnly({ engine, sdk }: Packages): void {
  const inSdk = (file: string): string => join(sdk, file.slice('sdk/'.length).replace(/\.ts$/, '.js'));
  placeOf = (file) => (file.startsWith('sdk/') ? inSdk(file) : join(engine, file));
}

/** Runs a program of ours with this Node, as a shell would. */
export async function program(
  file: string,
  words: readonly string[],
  { input = '', env = {} }: { readonly input?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<CliResult> {
  const child = spawn(process.execPath, [placeOf(file), ...words], {
    env: { ...process.env, ...env },
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (data: Buffer) => (output.stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (output.stderr += data.toString()));
  child.stdin.on('error', () => undefined).end(input);
  const [code] = await once(child, 'close');
  return { code, ...output };
}

export const gantrySdk = (...words: readonly string[]): Promise<CliResult> => program('sdk/command/gantry-sdk.mjs', words);

/** What a stranger makes of the scaffold: volumes that are folders, and a setting that every volume's status tells. */
export async function writeFolders(dir: string, version: string, { name = basename(dir), body = '' } = {}): Promise<void> {
  const code = `import { bind, t, volume } from '@gantry/sdk/author';

${body}
console.error('version ${version} begins');
export default volume({
  name: '${name}',
  version: '${version}',
  settings: { colour: t.String({ default: 'red' }) },
  privileges: { host: ['lookup:container'] },
  create: (v, { data }) => data.mkdirs(v.name),
  remove: (v, { data }) => data.remove(v.name),
  attach: (v, req) => [bind(v.name, req.readOnly ? 'ro' : 'rw')],
  status: (_, { settings }) => ({ version: '${version}', colour: settings.colour }),
});
`;
  writeFileSync(join(dir, 'main.ts'), code);
  const { code: status, stderr } = await gantrySdk('manifest', dir);
  if (status !== 0) throw new Error(stderr);
}

/** A plugin's process as systemd would run it: with a socket and a token of its own, and no engine anywhere. */
export async function standAlone(
  dir: string,
  { socket, token }: { readonly socket: string; readonly token: string },
): Promise<ChildProcess> {
  const env = { PATH: process.env['PATH'], GANTRY_PLUGIN: '1', GANTRY_PLUGIN_ENDPOINT: `unix://${socket}`, GANTRY_PLUGIN_TOKEN: token };
  const child = spawn(process.execPath, [placeOf('sdk/serve/process.ts'), dir], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  if (!line.toString().startsWith('GANTRY-PLUGIN 1 ')) throw new Error(line.toString());
  return child;
}

import { existsSync, statSync } from 'node:fs';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packFormats } from '@gantry/sdk/engine';
import { invalidArgument } from '@gantry/sdk/errors';
import { usageReason } from '../../command.ts';
import type { Context } from '../../context.ts';
import { humanSize } from '../../format/human.ts';
import { writeTar } from '../../format/output-file.ts';
import { flag, text, value } from '../../option.ts';
import { verb } from '../../verb.ts';
import { folderTar } from './folder-tar.ts';
import { readManifest } from './manifest-file.ts';

interface Flags {
  readonly npm?: boolean;
  readonly oci?: boolean;
  readonly docker?: boolean;
  readonly base?: string;
  readonly output?: string;
}

export const packPlugin = verb<Flags>({
  arguments: '<folder>',
  options: [
    flag('--npm', 'As an npm package (.tgz): the default'),
    flag('--oci', 'As an OCI artifact, in a tar'),
    flag('--docker', 'As a Docker managed plugin (config.json and rootfs/), in a tar'),
    value(
      '--base <path|image>',
      "With --docker: begin with this root file system, a folder, an image in a tar, or one of the engine's images",
      text,
    ),
    value('-o, --output <file>', 'Write to this file instead of stdout', text),
  ],
  notes: `  gantry plugin pack ./nfs -o nfs.tgz && gantry plugin install ./nfs.tgz
  gantry plugin pack ./nfs --oci -o nfs.tar
  gantry plugin pack ./nfs --docker | tar -x -C ./for-docker && docker plugin create acme/nfs ./for-docker

What npm would publish is packed: the "files" of package.json, less what .npmignore names. As OCI or Docker's, what it depends on comes along.
A plugin becomes Docker's with this machine's Node, or that of the base, which speaks Docker's protocol for it: its settings can be set with docker plugin set.
A plugin that is a program (entry.exec) finds there what is packed and what the base has: a static program needs no base, a Python one a base with Python.`,
  async action(context, [folder = ''], flags) {
    const chosen = packFormats.filter((format) => flags[format] === true);
    if (chosen.length > 1) {
      throw invalidArgument(`--${chosen.join(' and --')} exclude each other`, { hint: 'pack twice', reason: usageReason });
    }
    const format = chosen[0] ?? 'npm';
    const isReady = existsSync(join(folder, 'config.json')) && existsSync(join(folder, 'rootfs'));
    if (flags.base !== undefined && (format !== 'docker' || isReady))
      throw invalidArgument('--base is for a folder of code that is packed with --docker', { reason: usageReason });
    const manifest = isReady ? undefined : await readManifest(folder);
    const pack =
      format === 'docker' && !isReady
        ? async () => packForDocker(context, folder, flags.base)
        : async () => (await context.client()).plugins.pack(await folderTar(folder, { into: flags.output }), { format });
    await writeTar(flags.output, 'packing', pack);
    if (flags.output === undefined || flags.output === '-') return;
    const what = manifest === undefined ? 'a plugin for Docker' : `${manifest.name} ${manifest.version}`;
    context.note(`${flags.output}: ${what}, ${humanSize(statSync(flags.output).size)}`);
  },
});

/** Here; an engine is asked only for a base that is its image. The tar has lost its name when it is read. */
async function packForDocker(context: Context, dir: string, named: string | undefined): Promise<AsyncIterable<Buffer>> {
  const { packManaged } = await import('@gantry/sdk/managed');
  const work = await mkdtemp(join(tmpdir(), 'gantry-pack-'));
  try {
    const base = await baseOf(context, named, work);
    const { notes } = await packManaged({ dir, out: join(work, 'packed.tar'), base });
    for (const note of notes) context.note(`note: ${named === undefined ? note : note.replaceAll(base ?? '', named)}`);
    return (await open(join(work, 'packed.tar'))).createReadStream() as AsyncIterable<Buffer>;
  } finally {
    await rm(work, { recursive: true });
  }
}

/** What is no path and has no folder's marks at its beginning is an image's name. */
async function baseOf(context: Context, base: string | undefined, work: string): Promise<string | undefined> {
  if (base === undefined || existsSync(base) || /^[./]/.test(base)) return base;
  const file = join(work, 'base.tar');
  await writeFile(file, await (await context.client()).images.save([base]));
  return file;
}

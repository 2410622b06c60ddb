import { packFormats } from '@gantry/sdk/engine';
import { invalidArgument } from '@gantry/sdk/errors';
import { usageReason } from '../../command.ts';
import { writeTar } from '../../format/output-file.ts';
import { flag, text, value } from '../../option.ts';
import { verb } from '../../verb.ts';
import { folderTar } from './folder-tar.ts';
import { readManifest } from './manifest-file.ts';

interface Flags {
  readonly npm?: boolean;
  readonly oci?: boolean;
  readonly docker?: boolean;
  readonly output?: string;
}

export const packPlugin = verb<Flags>({
  arguments: '<folder>',
  options: [
    flag('--npm', 'As an npm package (.tgz): the default'),
    flag('--oci', 'As an OCI artifact, in a tar'),
    flag('--docker', 'As a Docker managed plugin (config.json and rootfs/), in a tar'),
    value('-o, --output <file>', 'Write to this file instead of stdout', text),
  ],
  notes: `  gantry plugin pack ./nfs -o nfs.tgz && gantry plugin install ./nfs.tgz
  gantry plugin pack ./nfs --oci -o nfs.tar`,
  async action(context, [folder = ''], flags) {
    const chosen = packFormats.filter((format) => flags[format] === true);
    if (chosen.length > 1) {
      throw invalidArgument(`--${chosen.join(' and --')} exclude each other`, { hint: 'pack twice', reason: usageReason });
    }
    await readManifest(folder);
    const { plugins } = await context.client();
    const format = chosen[0] ?? 'npm';
    await writeTar(flags.output, 'packing', async () => await plugins.pack(folderTar(folder), { format }));
  },
});

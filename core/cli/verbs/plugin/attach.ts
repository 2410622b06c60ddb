import type { Manifest } from '@gantry/sdk';
import { invalidArgument } from '@gantry/sdk/errors';
import { usageReason } from '../../command.ts';
import { text, value } from '../../option.ts';
import { show } from '../../parse/refuse.ts';
import { readSecret } from '../../parse/secret.ts';
import { verb } from '../../verb.ts';
import { readManifestFile } from './manifest-file.ts';

interface Flags {
  readonly alias?: string;
  readonly manifest?: string;
  readonly tokenFile?: string;
}

export const attachPlugin = verb<Flags>({
  arguments: '<unix:///path>',
  options: [
    value('--alias <name>', 'Call it so, and not as it calls itself', text),
    value('--manifest <file>', 'Its gantry-plugin.json, when it does not send it', text),
    value('--token-file <file>', 'The secret by which it proves who it is', text),
  ],
  notes: `For a plugin that systemd, a container or a debugger runs: the engine connects to its socket, and neither starts nor stops it.

  gantry plugin attach unix:///run/acme/nfs.sock --token-file /etc/acme/token`,
  async action(context, [address = ''], { alias, manifest: file, tokenFile }) {
    if (!/^unix:\/\/\/./.test(address)) {
      throw invalidArgument(`${show(address)} is not the address of a socket`, { hint: 'write unix:///path', reason: usageReason });
    }
    const token = tokenFile === undefined ? undefined : readSecret(tokenFile);
    const manifest: Manifest | undefined = file === undefined ? undefined : await readManifestFile(file);
    const { plugins } = await context.client();
    const { name } = await plugins.attach({
      address,
      ...(token === undefined ? {} : { token }),
      ...(manifest === undefined ? {} : { manifest }),
      ...(alias === undefined ? {} : { alias }),
    });
    context.print(name);
  },
});

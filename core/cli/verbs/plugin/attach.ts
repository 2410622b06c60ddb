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
    value('--manifest <file>', 'Its gantry-plugin.json: what it may offer and do, before it is asked', text),
    value('--token-file <file>', 'The secret by which it proves who it is', text),
  ],
  notes: `For a plugin that systemd, a container or a debugger runs: the engine connects to its socket, and neither starts nor stops it.
A program that was written with the SDK prints its manifest when it is started with --manifest, and has its secret from GANTRY_PLUGIN_TOKEN. A file
with the secret that everybody can read is refused.

  /opt/acme/nfs --manifest > nfs.json
  gantry plugin attach unix:///run/acme/nfs.sock --manifest nfs.json --token-file /etc/acme/token
  gantry plugin rm -f acme.nfs            # lets go of it; it runs on`,
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

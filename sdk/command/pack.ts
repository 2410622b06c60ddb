import { basename, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { invalidArgument } from '../errors.ts';
import type { Command } from './main.ts';

/** A folder for real dockerd. Packages for Gantry are `npm pack`'s and `gantry plugin pack`'s business. */
export const packCommand: Command = {
  summary: 'pack a plugin for Docker',
  help: `Usage: gantry-sdk pack [DIR] --docker [-o OUT] [--base BASE]

Makes a managed plugin of Docker's from the plugin in DIR (here, unless given): config.json, and rootfs with Node, the SDK and the
plugin's code. The SDK serves its drivers by Docker's protocol and carries out what they describe. Same input, same bytes.

  --docker         the format; the only one so far
  -o, --out OUT    a folder, or a tar when it ends with .tar; NAME-docker unless given. Must not be there yet
  --base BASE      a root file system to begin with: a folder, or an image in a tar (docker save, docker export). It may bring its own
                   Node (24 or later, glibc); otherwise this machine's is taken, with the libraries it needs

A plugin that is a program (entry.exec) is started in there, and needs a base with whatever it does not bring: a static program (Go with
CGO_ENABLED=0) needs none, one in Python a base with Python 3 of the version that it was built for, a script its shell and tools.

Docker has volume, network, ipam, log and authz plugins, with one driver of a kind each. What else a plugin wants is refused, with the reason.
Settings become variables that can be set (docker plugin set), privileges what the user is asked for.

  gantry-sdk pack . --docker -o ./nfs-docker
  docker plugin create acme/nfs ./nfs-docker && docker plugin enable acme/nfs && docker volume create -d acme/nfs …
`,
  async run(argv) {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { docker: { type: 'boolean' }, out: { type: 'string', short: 'o' }, base: { type: 'string' } },
    });
    if (values.docker !== true) throw invalidArgument('say for whom', { hint: 'gantry-sdk pack . --docker' });
    const { packManaged } = await import('../managed/index.ts');
    const dir = resolve(positionals[0] ?? '.');
    const out = values.out ?? `${basename(dir)}-docker`;
    const { notes } = await packManaged({ dir, out: resolve(out), base: values.base });
    for (const note of notes) process.stderr.write(`note: ${note}\n`);
    process.stdout.write(`made ${out}\n`);
    return 0;
  },
};

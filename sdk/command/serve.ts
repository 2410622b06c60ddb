import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { invalidArgument } from '../errors.ts';
import { socketFolder } from '../legacy/wire.ts';
import { loadPlugin, manifestIn } from '../serve/load.ts';
import type { Command } from './main.ts';

/** A plugin on this machine itself, for dockerd and podman: what the packed one does in a container of its own. */
export const serveCommand: Command = {
  summary: "serve a plugin to other engines, by Docker's protocol",
  help: `Usage: gantry-sdk serve [DIR] --as docker [--socket PATH] [--root DIR] [--set NAME=VALUE]…

Serves the plugin in DIR (here, unless given) until SIGTERM or Ctrl-C, at a socket where dockerd and podman find plugins by their names.
Mounts and links that its drivers describe are made by this process, on this machine: for most that takes root.

  --as docker         the protocol; the only one so far
  --socket PATH       where it listens; ${socketFolder}/NAME.sock unless given
  --root DIR          its folder: state, data, and what it mounts; /var/lib/gantry-docker/NAME unless given
  --set NAME=VALUE    a setting. May be given again

  gantry-sdk serve . --as docker --set server=10.0.0.2
  docker volume create -d nfs data        # podman: [engine.volume_plugins] nfs = "${socketFolder}/nfs.sock" in containers.conf
`,
  async run(argv) {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        as: { type: 'string' },
        socket: { type: 'string' },
        root: { type: 'string' },
        set: { type: 'string', multiple: true, default: [] },
      },
    });
    if (values.as !== 'docker') throw invalidArgument('say by which protocol', { hint: 'gantry-sdk serve . --as docker' });
    const { linesLog, serveDocker } = await import('../legacy/index.ts');
    const dir = resolve(positionals[0] ?? '.');
    const manifest = manifestIn(dir);
    const asked = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
    const socketPath = resolve(values.socket ?? join(socketFolder, `${manifest.name}.sock`));
    const serving = await serveDocker({
      load: async () => {
        if (manifest.entry.node !== undefined) return (await loadPlugin(dir)).module;
        const { programModule } = await import('../legacy/program.ts');
        return programModule(dir, manifest);
      },
      manifest,
      dir,
      socketPath,
      root: resolve(values.root ?? join('/var/lib/gantry-docker', manifest.name)),
      settings: Object.fromEntries(values.set.map(settingOf)),
      log: linesLog((line) => process.stderr.write(line)),
    });
    process.stdout.write(`${manifest.name} ${manifest.version} listens at ${socketPath}\n`);
    await asked;
    await serving[Symbol.asyncDispose]();
    return 0;
  },
};

function settingOf(written: string): readonly [string, string] {
  const equals = written.indexOf('=');
  if (equals <= 0) throw invalidArgument(`--set ${JSON.stringify(written)} is not NAME=VALUE`);
  return [written.slice(0, equals), written.slice(equals + 1)];
}

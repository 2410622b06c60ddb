import { resolve } from 'node:path';
import { defaultSocket } from '../../host.ts';
import { text, value } from '../../option.ts';
import { verb } from '../../verb.ts';

interface InstallFlags {
  readonly root: string;
  readonly socket: string;
  readonly group: string;
}

const rootOption = () => value('--root <folder>', 'Write below this folder, and leave systemd alone: for packages', text).default('/');

export const install = verb<InstallFlags>({
  arguments: '',
  options: [
    rootOption(),
    value('--socket <path>', 'Where the API is served', text).default(defaultSocket),
    value('--group <group>', 'Group that may use it, if there is such a group', text).default('gantry'),
  ],
  notes: `systemd listens on the socket, and starts the engine at boot or when somebody connects; it starts it again when it dies or hangs.
Containers run on while the engine is stopped or exchanged. Settings are read from /etc/gantry/daemon.json: systemctl reload gantry reads them anew.`,
  async action(context, _given, { root, socket, group }) {
    const { installService } = await import('../../systemd/service.ts');
    for (const path of installService({ root: resolve(root), socketPath: socket, group })) context.print(path);
  },
});

export const uninstall = verb<Pick<InstallFlags, 'root'>>({
  arguments: '',
  options: [rootOption()],
  notes: 'Stops the engine and removes what gantry system install wrote. Containers run on, and what is stored stays.',
  async action(context, _given, { root }) {
    const { uninstallService } = await import('../../systemd/service.ts');
    for (const path of uninstallService({ root: resolve(root) })) context.print(path);
  },
});

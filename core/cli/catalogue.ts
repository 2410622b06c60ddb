import type { Verb } from './verb.ts';

export const groups = ['Common', 'Containers', 'Images', 'Volumes', 'Networks', 'System', 'Plugins'] as const;

export interface Entry {
  /** The first is shown in help; the others are the same command. */
  readonly names: readonly string[];
  readonly group: (typeof groups)[number];
  readonly summary: string;
  load(): Promise<Verb>;
}

export interface Found {
  readonly name: string;
  /** What follows the name. */
  readonly words: readonly string[];
}

/** Every command. Nothing of a command is loaded before it is used. */
export const catalogue: readonly Entry[] = [
  entry(
    'Common',
    'run, container run',
    'Create a container and run a command in it',
    async () => (await import('./verbs/container/run.ts')).run,
  ),
  entry(
    'Common',
    'exec, container exec',
    'Run a command in a running container',
    async () => (await import('./verbs/container/exec.ts')).exec,
  ),
  entry(
    'Common',
    'ps, container ls, container list, container ps',
    'List containers',
    async () => (await import('./verbs/container/ps.ts')).ps,
  ),
  entry('Common', 'images, image ls, image list', 'List images', async () => (await import('./verbs/image/images.ts')).images),
  entry('Common', 'logs, container logs', "Show a container's output", async () => (await import('./verbs/container/logs.ts')).logs),
  entry('Common', 'inspect', 'Show everything about an object, as JSON', async () => (await import('./verbs/inspect.ts')).inspect),

  entry('Containers', 'create, container create', 'Create a container', async () => (await import('./verbs/container/create.ts')).create),
  entry('Containers', 'start, container start', 'Start stopped containers', async () => (await import('./verbs/container/start.ts')).start),
  entry('Containers', 'stop, container stop', 'Stop running containers', async () => (await import('./verbs/container/stop.ts')).stop),
  entry('Containers', 'restart, container restart', 'Restart containers', async () => (await import('./verbs/container/stop.ts')).restart),
  entry('Containers', 'kill, container kill', 'Send a signal to containers', async () => (await import('./verbs/container/kill.ts')).kill),
  entry('Containers', 'rm, container rm, container remove', 'Remove containers', async () => (await import('./verbs/container/rm.ts')).rm),
  entry(
    'Containers',
    'attach, container attach',
    'Attach this terminal to a running container',
    async () => (await import('./verbs/container/attach.ts')).attach,
  ),
  entry(
    'Containers',
    'cp, container cp',
    'Copy files between a container and this machine',
    async () => (await import('./verbs/container/cp.ts')).cp,
  ),
  entry(
    'Containers',
    'diff, container diff',
    "Show what changed in a container's files",
    async () => (await import('./verbs/container/diff.ts')).diff,
  ),
  entry(
    'Containers',
    'commit, container commit',
    'Make an image from a container',
    async () => (await import('./verbs/container/commit.ts')).commit,
  ),
  entry(
    'Containers',
    'export, container export',
    "Write a container's files as a tar",
    async () => (await import('./verbs/container/export.ts')).exportContainer,
  ),
  entry('Containers', 'pause, container pause', 'Freeze containers', async () => (await import('./verbs/container/pause.ts')).pause),
  entry('Containers', 'unpause, container unpause', 'Thaw containers', async () => (await import('./verbs/container/pause.ts')).unpause),
  entry(
    'Containers',
    'port, container port',
    "List a container's published ports",
    async () => (await import('./verbs/container/port.ts')).port,
  ),
  entry('Containers', 'rename, container rename', 'Rename a container', async () => (await import('./verbs/container/rename.ts')).rename),
  entry(
    'Containers',
    'stats, container stats',
    'Show how much containers use',
    async () => (await import('./verbs/container/stats.ts')).stats,
  ),
  entry(
    'Containers',
    'top, container top',
    'List the processes of a container',
    async () => (await import('./verbs/container/top.ts')).top,
  ),
  entry(
    'Containers',
    'update, container update',
    'Change limits, restart policy and published ports',
    async () => (await import('./verbs/container/update.ts')).update,
  ),
  entry(
    'Containers',
    'wait, container wait',
    'Wait until containers stop, and print their exit codes',
    async () => (await import('./verbs/container/wait.ts')).wait,
  ),
  entry(
    'Containers',
    'container inspect',
    'Show everything about containers, as JSON',
    async () => (await import('./verbs/inspect.ts')).inspectContainer,
  ),
  entry('Containers', 'container prune', 'Remove all stopped containers', async () => (await import('./verbs/prune.ts')).pruneContainers),

  entry(
    'Images',
    'build, image build, builder build',
    'Build an image from a Dockerfile',
    async () => (await import('./verbs/image/build.ts')).build,
  ),
  entry('Images', 'builder prune', 'Remove what builds left for the next ones', async () => (await import('./verbs/prune.ts')).pruneBuilds),
  entry(
    'Images',
    'builder ls, builder history',
    'List builds that run and that ran',
    async () => (await import('./verbs/build/ls.ts')).listBuilds,
  ),
  entry(
    'Images',
    'builder inspect',
    'Show everything about builds, as JSON',
    async () => (await import('./verbs/inspect.ts')).inspectBuild,
  ),
  entry('Images', 'builder logs', 'Show what a build told', async () => (await import('./verbs/build/change.ts')).buildLogs),
  entry(
    'Images',
    'builder keep',
    'Keep records of builds for longer than others',
    async () => (await import('./verbs/build/change.ts')).keepBuilds,
  ),
  entry(
    'Images',
    'builder rm, builder remove',
    'Remove records of builds; their images stay',
    async () => (await import('./verbs/build/change.ts')).removeBuilds,
  ),
  entry('Images', 'load, image load', 'Load images from a tar', async () => (await import('./verbs/image/load.ts')).load),
  entry('Images', 'save, image save', 'Save images to a tar', async () => (await import('./verbs/image/save.ts')).save),
  entry(
    'Images',
    'import, image import',
    'Make an image from the files of a tar',
    async () => (await import('./verbs/image/import.ts')).importImage,
  ),
  entry('Images', 'pull, image pull', 'Fetch an image from a registry', async () => (await import('./verbs/image/pull.ts')).pull),
  entry('Images', 'push, image push', 'Send an image to a registry', async () => (await import('./verbs/image/push.ts')).push),
  entry('Images', 'search', 'Look for images in a registry', async () => (await import('./verbs/registry/search.ts')).search),
  entry('Images', 'login', 'Log in to a registry', async () => (await import('./verbs/registry/login.ts')).login),
  entry('Images', 'logout', 'Forget the login at a registry', async () => (await import('./verbs/registry/logout.ts')).logout),
  entry('Images', 'tag, image tag', 'Give an image another name', async () => (await import('./verbs/image/tag.ts')).tag),
  entry('Images', 'rmi, image rm, image remove', 'Remove images', async () => (await import('./verbs/image/rmi.ts')).rmi),
  entry('Images', 'history, image history', 'Show how an image was made', async () => (await import('./verbs/image/history.ts')).history),
  entry('Images', 'image inspect', 'Show everything about images, as JSON', async () => (await import('./verbs/inspect.ts')).inspectImage),
  entry('Images', 'image prune', 'Remove unused images', async () => (await import('./verbs/prune.ts')).pruneImages),

  entry('Volumes', 'volume ls, volume list', 'List volumes', async () => (await import('./verbs/volume/ls.ts')).listVolumes),
  entry('Volumes', 'volume create', 'Create a volume', async () => (await import('./verbs/volume/create.ts')).createVolume),
  entry(
    'Volumes',
    'volume inspect',
    'Show everything about volumes, as JSON',
    async () => (await import('./verbs/inspect.ts')).inspectVolume,
  ),
  entry('Volumes', 'volume rm, volume remove', 'Remove volumes', async () => (await import('./verbs/volume/rm.ts')).removeVolumes),
  entry('Volumes', 'volume rename', 'Give a volume another name', async () => (await import('./verbs/volume/change.ts')).renameVolume),
  entry('Volumes', 'volume resize', 'Set how much a volume can hold', async () => (await import('./verbs/volume/change.ts')).resizeVolume),
  entry(
    'Volumes',
    'volume clone',
    'Make a volume with what another one has now',
    async () => (await import('./verbs/volume/copy.ts')).cloneVolume,
  ),
  entry(
    'Volumes',
    'volume snapshot',
    'Keep what a volume has now, read-only',
    async () => (await import('./verbs/volume/copy.ts')).snapshotVolume,
  ),
  entry('Volumes', 'volume prune', 'Remove unused volumes', async () => (await import('./verbs/prune.ts')).pruneVolumes),

  entry('Networks', 'network ls, network list', 'List networks', async () => (await import('./verbs/network/ls.ts')).listNetworks),
  entry('Networks', 'network create', 'Create a network', async () => (await import('./verbs/network/create.ts')).createNetwork),
  entry(
    'Networks',
    'network inspect',
    'Show everything about networks, as JSON',
    async () => (await import('./verbs/inspect.ts')).inspectNetwork,
  ),
  entry('Networks', 'network rm, network remove', 'Remove networks', async () => (await import('./verbs/network/rm.ts')).removeNetworks),
  entry(
    'Networks',
    'network connect',
    'Connect a container to a network',
    async () => (await import('./verbs/network/connect.ts')).connectNetwork,
  ),
  entry(
    'Networks',
    'network disconnect',
    'Disconnect a container from a network',
    async () => (await import('./verbs/network/connect.ts')).disconnectNetwork,
  ),
  entry('Networks', 'network prune', 'Remove unused networks', async () => (await import('./verbs/prune.ts')).pruneNetworks),

  entry('System', 'version', 'Show the versions of client and engine', async () => (await import('./verbs/system/version.ts')).version),
  entry('System', 'info, system info', 'Show what the engine is and has', async () => (await import('./verbs/system/info.ts')).info),
  entry(
    'System',
    'events, system events',
    'Watch what happens in the engine',
    async () => (await import('./verbs/system/events.ts')).events,
  ),
  entry('System', 'system df', 'Show how much disk is used', async () => (await import('./verbs/system/df.ts')).df),
  entry(
    'System',
    'system check',
    'Read everything that is stored and hold it against the records',
    async () => (await import('./verbs/system/check.ts')).check,
  ),
  entry('System', 'system prune', 'Remove everything that is not used', async () => (await import('./verbs/prune.ts')).pruneSystem),
  entry(
    'System',
    'doctor, system doctor',
    'Say what this machine lacks, and how to get it',
    async () => (await import('./verbs/system/doctor.ts')).doctor,
  ),
  entry('System', 'system install', 'Have systemd start the engine', async () => (await import('./verbs/system/service.ts')).install),
  entry('System', 'system uninstall', 'Undo system install', async () => (await import('./verbs/system/service.ts')).uninstall),
  entry('System', 'completion', 'Print a completion script for a shell', async () => (await import('./verbs/completion.ts')).completion),

  entry(
    'Plugins',
    'plugin ls, plugin list',
    'List plugins, and how they fare',
    async () => (await import('./verbs/plugin/ls.ts')).listPlugins,
  ),
  entry(
    'Plugins',
    'plugin inspect',
    'Show everything about plugins, as JSON',
    async () => (await import('./verbs/inspect.ts')).inspectPlugin,
  ),
  entry(
    'Plugins',
    'plugin install',
    'Install a plugin from a registry, npm, a file or a folder',
    async () => (await import('./verbs/plugin/install.ts')).installPlugin,
  ),
  entry(
    'Plugins',
    'plugin enable',
    'Start plugins, and keep them started',
    async () => (await import('./verbs/plugin/state.ts')).enablePlugins,
  ),
  entry(
    'Plugins',
    'plugin disable',
    'Stop plugins; running containers go on',
    async () => (await import('./verbs/plugin/state.ts')).disablePlugins,
  ),
  entry(
    'Plugins',
    'plugin set',
    "Change a plugin's settings, while it runs",
    async () => (await import('./verbs/plugin/set.ts')).setPlugin,
  ),
  entry(
    'Plugins',
    'plugin upgrade',
    'Bring a plugin to another version without a pause',
    async () => (await import('./verbs/plugin/upgrade.ts')).upgradePlugin,
  ),
  entry(
    'Plugins',
    'plugin rollback',
    'Go back to the version before the last upgrade',
    async () => (await import('./verbs/plugin/upgrade.ts')).rollbackPlugins,
  ),
  entry(
    'Plugins',
    'plugin gc',
    'Delete what plugins have and nobody knows of',
    async () => (await import('./verbs/plugin/gc.ts')).collectOrphans,
  ),
  entry('Plugins', 'plugin rm, plugin remove', 'Remove plugins', async () => (await import('./verbs/plugin/rm.ts')).removePlugins),
  entry('Plugins', 'plugin logs', 'Show what a plugin printed', async () => (await import('./verbs/plugin/logs.ts')).pluginLogs),
  entry(
    'Plugins',
    'plugin bind',
    'Say which plugin serves a driver that several have',
    async () => (await import('./verbs/plugin/bind.ts')).bindDriver,
  ),
  entry(
    'Plugins',
    'plugin default',
    'Say which graph driver new images and containers get',
    async () => (await import('./verbs/plugin/default.ts')).preferDriver,
  ),
  entry(
    'Plugins',
    'plugin attach',
    'Take in a plugin that somebody else runs',
    async () => (await import('./verbs/plugin/attach.ts')).attachPlugin,
  ),
  entry('Plugins', 'plugin call', 'Call one method of a driver by hand', async () => (await import('./verbs/plugin/call.ts')).callDriver),
  entry(
    'Plugins',
    'plugin create',
    "Make a plugin from a folder of Docker's or Gantry's layout",
    async () => (await import('./verbs/plugin/create.ts')).createPlugin,
  ),
  entry('Plugins', 'plugin push', 'Send a plugin to a registry', async () => (await import('./verbs/plugin/push.ts')).pushPlugin),
  entry(
    'Plugins',
    'plugin dev',
    'Run a plugin from your folder, anew at each change',
    async () => (await import('./verbs/plugin/dev.ts')).devPlugin,
  ),
  entry(
    'Plugins',
    'plugin doctor',
    "Look through a plugin's folder for what will not work",
    async () => (await import('./verbs/plugin/doctor.ts')).doctor,
  ),
  entry('Plugins', 'plugin pack', "Pack a plugin's folder for others", async () => (await import('./verbs/plugin/pack.ts')).packPlugin),
];

/** The command that the words begin with; undefined when there is none. */
export function findCommand(words: readonly string[]): Found | undefined {
  for (const length of [2, 1]) {
    const name = words.slice(0, length).join(' ');
    if (words.length >= length && findEntry(name) !== undefined) return { name, words: words.slice(length) };
  }
  return undefined;
}

export function findEntry(name: string): Entry | undefined {
  return catalogue.find(({ names }) => names.includes(name));
}

/** Call it with a name that findCommand gave. */
export async function loadVerb(name: string): Promise<Verb> {
  const found = findEntry(name);
  if (found === undefined) throw new TypeError(`no command ${name}`);
  return await found.load();
}

function entry(group: Entry['group'], names: string, summary: string, load: Entry['load']): Entry {
  return { names: names.split(', '), group, summary, load };
}

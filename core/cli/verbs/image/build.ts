import { writeFileSync } from 'node:fs';
import { buildInput } from '../../build-context.ts';
import { configPath, Logins } from '../../credentials/index.ts';
import { withBar } from '../../format/progress.ts';
import { progressPrinter } from '../../format/progress.ts';
import { flag, list, text, value } from '../../option.ts';
import { parseAddHost } from '../../parse/add-host.ts';
import { parseKeyValue, toRecord } from '../../parse/key-value.ts';
import { parseSize } from '../../parse/size.ts';
import { writeAll } from '../../session/session.ts';
import { verb } from '../../verb.ts';

type Pair = readonly [key: string, value: string];

interface BuildFlags {
  readonly tag: readonly string[];
  readonly file?: string;
  readonly buildArg: readonly (readonly [string, string | null])[];
  readonly label: readonly Pair[];
  readonly addHost: readonly string[];
  readonly cacheFrom: readonly string[];
  readonly target?: string;
  readonly platform?: string;
  readonly network?: string;
  readonly allow: readonly string[];
  readonly memory?: number;
  readonly shmSize?: number;
  readonly cache: boolean;
  readonly pull?: boolean;
  readonly rm: boolean;
  readonly forceRm?: boolean;
  readonly quiet?: boolean;
  readonly iidfile?: string;
}

export const build = verb<BuildFlags>({
  arguments: '<context>',
  options: [
    list('-t, --tag <name[:tag]>', 'Name of the image', text),
    value('-f, --file <path>', 'The Dockerfile, when it is not Dockerfile in the context', text),
    list('--build-arg <key=value>', 'Value of an ARG; without a value the one of this environment', parseBuildArgument),
    list('--label <key=value>', 'Label of the image', parseKeyValue),
    list('--add-host <host:ip>', 'Name for /etc/hosts while steps run', parseAddHost),
    list('--cache-from <image>', 'Image whose steps may be used', text),
    value('--target <stage>', 'Stage to end with', text),
    value('--platform <os/arch>', 'Platform of the base images', text),
    value('--network <name>', 'Network of the steps', text),
    list('--allow <entitlement>', 'Let the Dockerfile have network.host or security.insecure', text),
    value('-m, --memory <size>', 'Memory limit of the steps', parseSize),
    value('--shm-size <size>', 'Size of /dev/shm of the steps', parseSize),
    flag('--no-cache', 'Run every step again'),
    flag('--pull', 'Fetch base images even if they are here'),
    flag('--no-rm', 'Keep the containers of steps'),
    flag('--force-rm', 'Remove the container of a step that failed too'),
    flag('-q, --quiet', 'Only the id'),
    value('--iidfile <file>', 'Write the id to this file', text),
  ],
  notes:
    "The context is a folder, an archive, '-' for an archive on stdin, or the address of an archive, of a Dockerfile, or of a git repository: https://host/name.git#branch:folder.",
  async action(context, [given = '.'], flags) {
    const { tar, dockerfile, remote } = buildInput(given, flags.file);
    const { images } = await context.client();
    const messages = images.build(
      flags.quiet === true ? tar : withBar('sending context', tar),
      { ...optionsOf(flags), dockerfile, remote },
      new Logins(configPath(process.env)).all(),
    );
    const print = progressPrinter(context.print);
    let id = '';
    for await (const message of messages) {
      if (isImageId(message.aux)) id = message.aux.ID;
      if (message.stream === undefined) print(message);
      else await writeAll(process.stdout, Buffer.from(message.stream));
    }
    if (flags.iidfile !== undefined) writeFileSync(flags.iidfile, id);
  },
});

function optionsOf(flags: BuildFlags) {
  return {
    tags: flags.tag,
    buildArgs: Object.fromEntries(flags.buildArg),
    labels: toRecord(flags.label),
    extraHosts: flags.addHost,
    cacheFrom: flags.cacheFrom,
    target: flags.target,
    platform: flags.platform,
    network: flags.network,
    allow: flags.allow,
    memory: flags.memory,
    shmSize: flags.shmSize,
    noCache: !flags.cache,
    pull: flags.pull === true,
    remove: flags.rm,
    forceRemove: flags.forceRm === true,
    quiet: flags.quiet === true,
  };
}

function parseBuildArgument(given: string): readonly [string, string | null] {
  const [key, written] = parseKeyValue(given);
  return given.includes('=') ? [key, written] : [key, process.env[key] ?? null];
}

function isImageId(aux: unknown): aux is { readonly ID: string } {
  return typeof aux === 'object' && aux !== null && 'ID' in aux && typeof aux.ID === 'string';
}

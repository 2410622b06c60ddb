import type { Option } from 'commander';
import { flag, list, oneOf, text, value } from '../option.ts';
import { parseAddHost } from '../parse/add-host.ts';
import { parseIp, parseMac } from '../parse/address.ts';
import { parseDevice } from '../parse/device.ts';
import { parseGpus } from '../parse/gpus.ts';
import { parseDuration } from '../parse/duration.ts';
import { parseEnv, readEnvFile, readLabelFile } from '../parse/env.ts';
import { parseCpus, parseInteger } from '../parse/integer.ts';
import { parseAssignment, parseKeyValue } from '../parse/key-value.ts';
import { parseMount, parseTmpfs, parseVolume } from '../parse/mount.ts';
import { parseNetwork } from '../parse/network.ts';
import { parseExpose, parsePublish } from '../parse/port.ts';
import { parseRestart } from '../parse/restart.ts';
import { parseSecurityOpt } from '../parse/security-opt.ts';
import { parseSize, parseSwapSize } from '../parse/size.ts';
import { parseUlimit } from '../parse/ulimit.ts';

/** The flags of ResourceFlags. */
export const resourceOptions = (): readonly Option[] => [
  value('-m, --memory <size>', 'Memory limit: 64m, 2g', parseSize),
  value('--memory-reservation <size>', 'Memory that is left to it under pressure', parseSize),
  value('--memory-swap <size>', 'Memory and swap together; -1 is without limit', parseSwapSize),
  value('--cpus <number>', 'Number of processors: 0.5, 2', parseCpus),
  value('-c, --cpu-shares <number>', 'Weight against other containers', parseInteger(0)),
  value('--cpu-period <µs>', 'Period of the processor quota', parseInteger(0)),
  value('--cpu-quota <µs>', 'Processor time within a period', parseInteger(-1)),
  value('--cpuset-cpus <list>', 'Processors to run on: 0-3, 0,1', text),
  value('--cpuset-mems <list>', 'Memory nodes to use: 0-3, 0,1', text),
  value('--pids-limit <number>', 'Most processes; -1 is without limit', parseInteger(-1)),
  value('--blkio-weight <number>', 'Weight of disk use, 10 to 1000', parseInteger(0, 1000)),
  value('--restart <policy>', 'What to do when it exits: no, always, unless-stopped, on-failure[:retries]', parseRestart),
];

/** The flags of ContainerFlags. Made anew for every command line: an option remembers nothing, a command does. */
export const containerOptions = (): readonly Option[] => [
  ...general(),
  ...process(),
  ...files(),
  ...network(),
  ...confinement(),
  ...resourceOptions(),
];

const general = (): readonly Option[] => [
  flag('-i, --interactive', 'Keep stdin open'),
  flag('-t, --tty', 'Give it a terminal'),
  list('-a, --attach <stream>', 'Attach to stdin, stdout or stderr only', (given) =>
    oneOf('stdin', 'stdout', 'stderr')(given.toLowerCase()),
  ),
  flag('--rm', 'Remove it when it exits, with its anonymous volumes'),
  value('--name <name>', 'Name of the container', text),
  value('--platform <os/arch>', 'Platform of the image', text),
  value('--pull <when>', 'Fetch the image: always, missing or never', oneOf('always', 'missing', 'never')).default('missing'),
  flag('-q, --quiet', 'Do not show the fetching'),
  value('--cidfile <file>', 'Write the id to this file, which may not exist', text),
  list('-l, --label <key=value>', 'Label', parseKeyValue),
  list('--label-file <file>', 'Labels, one per line', readLabelFile),
  list(
    '--annotation <key=value>',
    'Annotation, for the engine and whoever inspects; runtimes take orders in theirs, so they are not told',
    parseAssignment,
  ),
  value('--log-driver <driver>', 'Where its output goes', text),
  list('--log-opt <key=value>', "Option of the log driver, e.g. 'max-size=10m'", parseAssignment),
];

const process = (): readonly Option[] => [
  list('-e, --env <key=value>', 'Environment variable; a lone key takes the value from here', (given) => parseEnv(given)),
  list('--env-file <file>', 'Environment variables, one per line', (given) => readEnvFile(given)),
  value('--entrypoint <command>', "Replaces the image's entry point", text),
  value('-w, --workdir <path>', 'Working directory inside', text),
  value('-u, --user <user[:group]>', 'Who to run as: names or numbers', text),
  list('--group-add <group>', 'Further group', text),
  flag('--init', 'Run an init inside that forwards signals and reaps processes'),
  value('--stop-signal <signal>', 'Signal that asks it to stop', text),
  value('--stop-timeout <seconds>', 'How long it may take to stop', parseInteger(-1)),
  value('--health-cmd <command>', 'Command that checks its health', text),
  value('--health-interval <time>', 'Time between checks: 30s', parseDuration),
  value('--health-timeout <time>', 'Longest that one check may take', parseDuration),
  value('--health-start-period <time>', 'Time to get ready, before failures count', parseDuration),
  value('--health-start-interval <time>', 'Time between checks while getting ready', parseDuration),
  value('--health-retries <number>', 'Failures in a row that make it unhealthy', parseInteger(0)),
  flag('--no-healthcheck', "No check, not even the image's"),
];

const files = (): readonly Option[] => [
  list('-v, --volume <volume>', '[name or /path on this machine:]/path inside[:ro]', parseVolume),
  list('--mount <fields>', 'type=bind|volume|tmpfs|image,source=…,target=…[,readonly,…]', parseMount),
  list('--tmpfs <path[:options]>', 'Memory file system', parseTmpfs),
  list('--volumes-from <container[:ro]>', 'All volumes of another container', text),
  value('--volume-driver <driver>', 'Driver for volumes that are made on the way', text),
  flag('--read-only', 'Root file system cannot be written'),
  value('--shm-size <size>', 'Size of /dev/shm', parseSize),
  list('--storage-opt <key=value>', 'Option of the graph driver, e.g. size=10G', parseAssignment),
];

const network = (): readonly Option[] => [
  list('--net, --network <network>', 'Network by name, host, none, container:name, or name=…,alias=…,ip=…', parseNetwork),
  list('--net-alias, --network-alias <name>', 'Another name on its network', text),
  value('--ip <address>', 'IPv4 address on its network', parseIp),
  value('--ip6 <address>', 'IPv6 address on its network', parseIp),
  list('--link-local-ip <address>', 'Link-local address', parseIp),
  value('--mac-address <address>', 'MAC address', parseMac),
  list('--link <container[:alias]>', 'Know another container by name', text),
  list('-p, --publish <port>', '[[ip:]hostPort:]containerPort[/udp]', parsePublish),
  flag('-P, --publish-all', 'Publish every exposed port'),
  list('--expose <port>', 'Port that it listens on', parseExpose),
  value('-h, --hostname <name>', 'Host name inside', text),
  value('--domainname <name>', 'NIS domain name inside', text),
  list('--add-host <name:ip>', 'Line for /etc/hosts', parseAddHost),
  list('--dns <address>', 'DNS server', parseIp),
  list('--dns-search <domain>', 'DNS search domain', text),
  list('--dns-opt, --dns-option <option>', 'Option for resolv.conf', text),
];

const confinement = (): readonly Option[] => [
  list('--cap-add <capability>', 'Give a capability', text),
  list('--cap-drop <capability>', 'Take a capability', text),
  flag('--privileged', 'Everything that root may do here'),
  list('--security-opt <option>', 'seccomp=file, apparmor=profile, label=…, no-new-privileges', parseSecurityOpt),
  list('--device <device>', '/dev/here[:/dev/inside][:rwm], or one that is described: vendor.com/class=name', parseDevice),
  list('--device-cgroup-rule <rule>', "Rule for devices, e.g. 'c 42:* rmw'", text),
  list('--ulimit <name=soft[:hard]>', 'Limit of its processes, e.g. nofile=1024:4096', parseUlimit),
  list('--sysctl <key=value>', 'Kernel parameter, e.g. net.ipv4.ip_forward=1', parseAssignment),
  value('--oom-score-adj <number>', 'Readiness to be killed when memory runs out, -1000 to 1000', parseInteger(-1000, 1000)),
  flag('--oom-kill-disable', 'Wait for memory instead of being killed'),
  value('--memory-swappiness <number>', 'Readiness to swap, 0 to 100; -1 is the default', parseInteger(-1, 100)),
  value('--cgroup-parent <path>', 'Parent cgroup', text),
  value('--cgroupns <mode>', 'Cgroup namespace: host or private', oneOf('host', 'private')),
  value('--ipc <mode>', 'IPC namespace: none, private, shareable, host, container:name', text),
  value('--pid <mode>', 'Process namespace: host, container:name', text),
  value('--uts <mode>', 'Host name namespace: host', text),
  value('--userns <mode>', 'User namespace: host', text),
  value('--runtime <name>', 'OCI runtime', text),
  value('--isolation <mode>', 'Only default, on Linux', text),
  list('--gpus <request>', 'GPUs that a CDI description is there for: all, 2, "device=0,1"', parseGpus),
];

import { oneOf } from '../option.ts';
import { parseSize } from '../parse/size.ts';
import { parseUlimit } from '../parse/ulimit.ts';
import { checked, type Directive, parseFile } from './directive.ts';

/** What containers get that leave it open. */
export const containerDirectives: readonly Directive[] = [
  {
    key: 'default-shm-size',
    flags: '--default-shm-size <size>',
    kind: 'size',
    parse: parseSize,
    description: 'Size of /dev/shm of containers that name none (default: 64m)',
  },
  {
    key: 'default-ipc-mode',
    flags: '--default-ipc-mode <mode>',
    kind: 'text',
    parse: oneOf('private', 'shareable'),
    description: 'IPC namespace of containers that name none: private or shareable (default: private)',
  },
  {
    key: 'default-cgroupns-mode',
    flags: '--default-cgroupns-mode <mode>',
    kind: 'text',
    parse: oneOf('private', 'host'),
    description: 'Cgroup namespace of containers that name none: private or host (default: private with cgroup v2, host with v1)',
  },
  {
    key: 'default-ulimits',
    flags: '--default-ulimit <name=soft[:hard]>',
    kind: 'map',
    parse: checked(parseUlimit),
    description: 'Limit of the processes of containers that name none of that kind, e.g. nofile=1024:4096',
  },
  {
    key: 'userns-remap',
    flags: '--userns-remap <user>',
    kind: 'text',
    description:
      'Give containers a user namespace, with the ids of this user in /etc/subuid and /etc/subgid: default (dockremap, made if there is none), user, uid, user:group or uid:gid',
  },
  { key: 'init', flags: '--init', kind: 'boolean', description: 'Run a small init in containers that leave it open' },
  {
    key: 'init-path',
    flags: '--init-path <file>',
    kind: 'text',
    parse: parseFile,
    description: 'That init (default: the first that is installed)',
  },
  {
    key: 'no-new-privileges',
    flags: '--no-new-privileges',
    kind: 'boolean',
    description: 'Let no process of a container gain privileges, unless it says --security-opt no-new-privileges=false',
  },
  {
    key: 'seccomp-profile',
    flags: '--seccomp-profile <file>',
    kind: 'text',
    description: 'Seccomp profile of containers that name none: a file, builtin or unconfined (default: builtin)',
  },
  {
    key: 'cdi-spec-dirs',
    flags: '--cdi-spec-dir <path>',
    kind: 'list',
    parse: parseFile,
    description: 'Folder with descriptions of devices (default: /etc/cdi and /var/run/cdi); may be given many times',
  },
  {
    key: 'cgroup-parent',
    flags: '--cgroup-parent <path>',
    kind: 'text',
    description: 'Cgroup above those of containers that name none (default: /gantry)',
  },
];

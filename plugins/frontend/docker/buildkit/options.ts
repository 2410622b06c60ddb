import { invalidArgument } from '@gantry/sdk';
import type { BuildContext, BuildOptions, NamedSource } from '@gantry/sdk/engine';
import { uploadOf } from './client.ts';
import { clientFiles } from './files.ts';
import { layoutFiles } from './oci-layout.ts';
import type { Session } from './session.ts';
import { hostArchitecture } from './worker.ts';

export type Attributes = Readonly<Record<string, string>>;

/** A folder of the client's, an address, or what it has on its standard input; the Dockerfile may lie in a folder of its own. */
export function contextOf(session: Session, attributes: Attributes, signal: AbortSignal): BuildContext {
  const given = attributes['context'] ?? '';
  const named = (key: string, otherwise: string): string => (attributes[key] ?? otherwise).replace(/^local:/, '');
  const names = { context: named('contextkey', 'context'), dockerfile: named('dockerfilekey', 'dockerfile') };
  if (given.startsWith('http://buildkit-session/')) return { kind: 'tar', tar: uploadOf(session, given, signal) };
  if (given !== '' && !given.startsWith('local:')) {
    const own = attributes['dockerfilekey'] === undefined ? {} : { dockerfile: folderOf(session, names.dockerfile, signal) };
    return { kind: 'remote', url: given, ...own };
  }
  return { kind: 'folders', files: (folder, wanted) => folderOf(session, names[folder], signal)(wanted) };
}

function folderOf(session: Session, name: string, signal: AbortSignal) {
  return (wanted: { readonly include: readonly string[]; readonly exclude: readonly string[] }) =>
    clientFiles(session, { name, ...wanted }, signal);
}

/** `--build-context`: attributes "context:NAME", where a name may have a platform behind it. */
export function namedSources(session: Session, attributes: Attributes, signal: AbortSignal): Readonly<Record<string, NamedSource>> {
  return Object.fromEntries(
    Object.entries(withPrefix(attributes, 'context:')).map(([key, value]) => {
      const [name = ''] = key.split('::');
      return [name, sourceOf(session, { name, value }, signal)];
    }),
  );
}

function sourceOf(session: Session, { name, value }: { readonly name: string; readonly value: string }, signal: AbortSignal): NamedSource {
  const [, scheme = '', rest = ''] = /^(docker-image:\/\/|local:|[\w-]+:(?:\/\/)?)(.*)$/s.exec(value) ?? [];
  if (scheme === 'docker-image://') return { kind: 'image', reference: rest };
  if (scheme === 'oci-layout://')
    return { kind: 'layout', files: () => layoutFiles(session, rest, { architecture: hostArchitecture(), signal }) };
  if (scheme === 'local:') return { kind: 'folder', files: folderOf(session, rest, signal) };
  if (['target:', 'input:'].includes(scheme))
    throw invalidArgument(`build context ${name}: ${scheme} is not supported`, {
      hint: 'give a folder, docker-image://, oci-layout://, a git repository or the address of an archive',
    });
  return { kind: 'remote', url: value };
}

/** Of a build for one of its platforms. */
export function optionsOf(attributes: Attributes, platform = ''): BuildOptions {
  const noCache = attributes['no-cache'];
  const network = attributes['force-network-mode'] ?? '';
  const shmSize = attributes['shm-size'];
  return {
    dockerfile: attributes['filename'] ?? '',
    tags: [],
    buildArgs: withPrefix(attributes, 'build-arg:'),
    labels: withPrefix(attributes, 'label:'),
    noCache: noCache === undefined ? false : noCache === '' ? true : noCache.split(','),
    pull: attributes['image-resolve-mode'] === 'pull',
    remove: true,
    forceRemove: true,
    target: attributes['target'] ?? '',
    platform,
    cacheFrom: [],
    registryAuth: {},
    hostConfig: {
      ...(network === '' || network === 'default' ? {} : { NetworkMode: network }),
      ...(shmSize === undefined ? {} : { ShmSize: Number(shmSize) }),
      ...(attributes['cgroup-parent'] === undefined ? {} : { CgroupParent: attributes['cgroup-parent'] }),
      // "host=address", as BuildKit writes what others write with a colon.
      ExtraHosts: (attributes['add-hosts'] ?? '')
        .split(',')
        .filter((host) => host !== '')
        .map((host) => host.replace('=', ':')),
    },
  };
}

/** Each once; '' alone: the machine's own. */
export function platformsOf({ platform = '' }: Attributes): readonly string[] {
  const platforms = new Set(platform.split(',').map((each) => each.trim()));
  if (platforms.size > mostPlatforms) throw invalidArgument(`a build is for at most ${mostPlatforms} platforms, not for ${platforms.size}`);
  return [...platforms];
}
const mostPlatforms = 32;

function withPrefix(attributes: Attributes, prefix: string): Attributes {
  return Object.fromEntries(
    Object.entries(attributes).flatMap(([key, value]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), value] as const] : [])),
  );
}

import { statSync } from 'node:fs';
import { unavailable } from '@gantry/sdk';
import type { ContainerDocument } from '../model.ts';
import type { SpecMount } from '../oci-spec/index.ts';

const destination = '/sbin/docker-init';
const candidates = ['docker-init', 'tini-static', 'tini', 'catatonit'].flatMap((name) =>
  ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/libexec/podman', '/usr/libexec/docker'].map((folder) => `${folder}/${name}`),
);

/** The command of a container, below a small init that reaps orphans and passes signals on when the user asked for one (`--init`). */
export function withInit(
  { path, args }: Pick<ContainerDocument, 'path' | 'args'>,
  { isWanted, program }: { readonly isWanted: boolean; readonly program?: string | undefined },
): { readonly args: readonly string[]; readonly mounts: readonly SpecMount[] } {
  if (!isWanted) return { args: [path, ...args], mounts: [] };
  const source = (program === undefined ? candidates : [program]).find(
    (file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true,
  );
  if (source === undefined) {
    throw program === undefined
      ? unavailable('no init program for --init is installed', { hint: 'install tini, catatonit or docker-init' })
      : unavailable(`the init program ${program} is not there`, { hint: 'change init-path' });
  }
  return {
    args: [destination, '--', path, ...args],
    mounts: [{ destination, type: 'bind', source, options: ['bind', 'ro', 'nosuid'] }],
  };
}

import { conflict } from '@gantry/sdk';
import type { ExecConfig } from '@gantry/sdk/engine';
import type { Entry } from '../entry.ts';
import { lookInside } from '../inside/aside.ts';
import { mergeEnv } from '../merge-config.ts';
import { effectiveCapabilities, type ProcessUser, processSpec } from '../oci-spec/index.ts';
import type { ContainerDefaults } from '../types.ts';
import { withoutValueless } from '../start/spec-process.ts';
import { checkMappedUser } from '../user-namespace.ts';
import { securityOf } from '../validate/index.ts';

/** The OCI `process` of an exec: the container's own, with what the exec asks for instead. */
export async function execProcess(
  entry: Entry,
  exec: ExecConfig,
  defaults: ContainerDefaults | undefined,
  consoleSize?: readonly [number, number],
): Promise<Readonly<Record<string, unknown>>> {
  const { config, hostConfig } = entry.document;
  const user = await execUser(entry, exec);
  const tty = exec.tty === true;
  const base = [...(tty ? ['TERM=xterm'] : []), `HOSTNAME=${config.Hostname ?? ''}`, `HOME=${user.home}`];
  const own = mergeEnv(mergeEnv(['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], base), config.Env ?? []);
  const privileged = exec.privileged === true || hostConfig.Privileged === true;
  const capabilities = effectiveCapabilities({ privileged, add: hostConfig.CapAdd ?? [], drop: hostConfig.CapDrop ?? [] });
  return processSpec(
    {
      args: exec.cmd,
      env: withoutValueless(mergeEnv(own, exec.env ?? [])),
      cwd: exec.workingDir || config.WorkingDir || '/',
      tty,
      user,
      ...(consoleSize && { consoleSize }),
    },
    { capabilities, security: securityOf(hostConfig, defaults), hostConfig },
  );
}

/** Looked up in the container's files as they are now. */
export async function execUser({ id, run, document: { config, hostConfig } }: Entry, exec: ExecConfig): Promise<ProcessUser> {
  if (run === undefined) throw conflict(`container ${id} is not running`);
  const looking = { rootfs: run.rootfs, user: exec.user || config.User || '', groupAdd: hostConfig.GroupAdd ?? [] };
  const { user } = await lookInside(looking);
  checkMappedUser(user, run.idMaps);
  return user;
}

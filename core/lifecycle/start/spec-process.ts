import type { ContainerDocument } from '../model.ts';
import { mergeEnv } from '../merge-config.ts';
import { resolveUser, type SpecProcess } from '../oci-spec/index.ts';

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

interface ProcessParts {
  readonly rootfs: string;
  readonly hostname: string;
  readonly linkedEnv: readonly string[];
  readonly args: readonly string[];
}

/** The container's own process: its user looked up in its own files, Docker's variables below the user's. */
export function containerProcess(
  { config, hostConfig }: ContainerDocument,
  { rootfs, hostname, linkedEnv, args }: ProcessParts,
): SpecProcess {
  const user = resolveUser(rootfs, config.User ?? '', hostConfig.GroupAdd ?? []);
  const tty = config.Tty === true;
  const base = [defaultPath, `HOSTNAME=${hostname}`, ...(tty ? ['TERM=xterm'] : []), `HOME=${user.home}`];
  return {
    args,
    env: withoutValueless(mergeEnv(mergeEnv(base, linkedEnv), config.Env ?? [])),
    cwd: config.WorkingDir || '/',
    tty,
    user,
    ...(hostConfig.ConsoleSize === undefined ? {} : { consoleSize: hostConfig.ConsoleSize }),
  };
}

/** NAME without a value takes a variable away. */
export function withoutValueless(env: readonly string[]): readonly string[] {
  return env.filter((variable) => variable.includes('='));
}

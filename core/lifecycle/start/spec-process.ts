import type { ContainerDocument } from '../model.ts';
import { mergeEnv } from '../merge-config.ts';
import type { ProcessUser, SpecProcess } from '../oci-spec/index.ts';

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

interface ProcessParts {
  readonly user: ProcessUser;
  readonly hostname: string;
  readonly linkedEnv: readonly string[];
  readonly args: readonly string[];
}

/** The container's own process, Docker's variables below the user's. */
export function containerProcess(
  { config, hostConfig }: ContainerDocument,
  { user, hostname, linkedEnv, args }: ProcessParts,
): SpecProcess {
  const tty = config.Tty === true;
  const base = [defaultPath, `HOSTNAME=${hostname}`, ...(tty ? ['TERM=xterm'] : []), `HOME=${user.home}`];
  return {
    args,
    env: withoutValueless(mergeEnv(mergeEnv(base, linkedEnv), config.Env ?? [])),
    cwd: workingDirectoryOf(config),
    tty,
    user,
    ...(hostConfig.ConsoleSize === undefined ? {} : { consoleSize: hostConfig.ConsoleSize }),
  };
}

export function workingDirectoryOf({ WorkingDir = '' }: ContainerDocument['config']): string {
  return WorkingDir || '/';
}

/** NAME without a value takes a variable away. */
export function withoutValueless(env: readonly string[]): readonly string[] {
  return env.filter((variable) => variable.includes('='));
}

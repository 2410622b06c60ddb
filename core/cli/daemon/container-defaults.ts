import { readFileSync } from 'node:fs';
import { fromErrno, invalidArgument } from '@gantry/sdk/errors';
import type { DaemonOptions } from '../daemon-options.ts';
import { parseUlimit, type Ulimit } from '../parse/ulimit.ts';
import { remappedIds } from './userns-remap.ts';
import { isObject, listOf, nonEmpty, numberOf, objectOf, optional, type Settings, textOf, truthOf } from './settings.ts';

/** What containers get that leave it open. A seccomp profile and the ids of a user are looked up now: what is not there keeps the engine from starting. */
export function containerDefaultsOf(settings: Settings): DaemonOptions['containerDefaults'] {
  const ulimits = Object.entries(objectOf(settings, 'default-ulimits')).map(([name, limit]) => ulimitOf(name, limit));
  return {
    ...optional('shmSizeBytes', numberOf(settings, 'default-shm-size') || undefined),
    ...optional('ipcMode', wordOf(settings, 'default-ipc-mode', ['private', 'shareable'] as const)),
    ...optional('cgroupnsMode', wordOf(settings, 'default-cgroupns-mode', ['private', 'host'] as const)),
    ...optional('cgroupParent', textOf(settings, 'cgroup-parent') || undefined),
    ...optional('ulimits', ulimits.length === 0 ? undefined : ulimits),
    ...optional('init', truthOf(settings, 'init')),
    ...optional('initPath', textOf(settings, 'init-path')),
    ...optional('idMaps', remapOf(textOf(settings, 'userns-remap'))),
    ...optional('noNewPrivileges', truthOf(settings, 'no-new-privileges')),
    ...optional('cdiFolders', nonEmpty(listOf(settings, 'cdi-spec-dirs'))),
    ...optional('seccompProfile', profileOf(textOf(settings, 'seccomp-profile'))),
  };
}

const remapOf = (wish: string | undefined) => (wish === undefined || wish === '' ? undefined : remappedIds(wish));

function wordOf<Word extends string>(settings: Settings, key: string, words: readonly Word[]): Word | undefined {
  const text = textOf(settings, key);
  return words.find((word) => word === text);
}

/** `"nofile": {"Name":"nofile","Hard":64000,"Soft":64000}`, or as the flag has it. */
function ulimitOf(name: string, limit: unknown): Ulimit {
  if (typeof limit === 'string') return parseUlimit(`${name}=${limit}`);
  const { Name = name, Soft, Hard = Soft }: Readonly<Record<string, unknown>> = isObject(limit) ? limit : {};
  if (Name !== name || !Number.isSafeInteger(Soft) || !Number.isSafeInteger(Hard)) {
    throw invalidArgument(`default-ulimits: ${JSON.stringify(name)} is not a ulimit`, {
      hint: `write ${JSON.stringify({ [name]: { Name: name, Soft: 1024, Hard: 4096 } })}`,
    });
  }
  return parseUlimit(`${name}=${String(Soft)}:${String(Hard)}`);
}

function profileOf(file: string | undefined): string | undefined {
  if (file === undefined || file === '' || file === 'builtin' || file === 'unconfined') return file || undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw fromErrno(error, 'cannot read the seccomp profile');
  }
}

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '@gantry/sdk/client';
import type { Api } from '../support/clients/api.ts';
import { slowness } from '../support/machine/slowness.ts';

/** Asks, and takes the named statuses for done. */
export async function expect(
  api: Api,
  method: string,
  path: string,
  { statuses, json }: { readonly statuses: readonly number[]; readonly json?: unknown },
): Promise<number> {
  const { status, body } = await api.call(method, path, json === undefined ? {} : { json });
  assert.ok(statuses.includes(status), `${method} ${path}: ${status} ${body.trim()}, expected ${statuses.join(' or ')}`);
  return status;
}

export interface ContainerOptions {
  readonly command?: readonly string[];
  readonly image?: string;
  readonly hostConfig?: Readonly<Record<string, unknown>>;
  readonly openStdin?: boolean;
}

/** Creates it unless its name is taken. */
export async function createContainer(
  api: Api,
  name: string,
  { command = ['true'], image = 'busybox', hostConfig = {}, openStdin = false }: ContainerOptions = {},
): Promise<void> {
  const json = { Image: image, Cmd: command, OpenStdin: openStdin, HostConfig: { NetworkMode: 'none', ...hostConfig } };
  await expect(api, 'POST', `/containers/create?name=${name}`, { statuses: [201, 409], json });
}

export async function removeContainer(api: Api, name: string): Promise<void> {
  await expect(api, 'DELETE', `/containers/${name}?force=1&v=1`, { statuses: [204, 404] });
}

export interface ContainerState {
  readonly Status: string;
  readonly ExitCode: number;
  readonly Pid: number;
  readonly Error: string;
}

/** Its status, `absent` when the engine does not know it. */
export async function statusOf(api: Api, name: string): Promise<string> {
  const { status, body } = await api.call('GET', `/containers/${name}/json`);
  if (status === 404) return 'absent';
  assert.equal(status, 200, body);
  return (JSON.parse(body) as { readonly State: ContainerState }).State.Status;
}

export async function containerState(api: Api, name: string): Promise<ContainerState> {
  return (await api.json<{ readonly State: ContainerState }>('GET', `/containers/${name}/json`)).State;
}

const patienceMs = 10_000 * slowness;

/** Resolves when it is so; fails, with what was asked for, when it is not soon. */
export async function until(claim: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await claim())) {
    assert.ok(performance.now() < deadline, `not within ${patienceMs} ms: ${claim.toString()}`);
    await sleep(20);
  }
}

/** Runs it to its end and answers its exit code. */
export async function runToEnd(api: Api, name: string): Promise<number> {
  await expect(api, 'POST', `/containers/${name}/start`, { statuses: [204] });
  return (await api.json<{ readonly StatusCode: number }>('POST', `/containers/${name}/wait`)).StatusCode;
}

/** Runs it in a running container, its output read to the end, and answers its exit code. */
export async function runExec(api: Api, name: string, command: readonly string[]): Promise<number> {
  const request = { Cmd: command, AttachStdout: true, AttachStderr: true };
  const { Id } = await api.json<{ readonly Id: string }>('POST', `/containers/${name}/exec`, { json: request });
  const { status, body } = await api.call('POST', `/exec/${Id}/start`, { json: { Detach: false, Tty: false } });
  if (status >= 400) throw new Error(`exec: ${status} ${body}`);
  return (await api.json<{ readonly ExitCode: number }>('GET', `/exec/${Id}/json`)).ExitCode;
}

/** What docker logs shows. */
export async function linesOf({ socketPath }: Api, name: string): Promise<readonly string[]> {
  const { containers } = connect({ host: `unix://${socketPath}` });
  let all = '';
  for await (const { data } of await containers.logs(name, { tty: false, stdout: true, stderr: true })) all += data.toString();
  return all.split('\n').slice(0, -1);
}

/** Processes of this pid namespace with exactly this command line: the proof of how many containers really run. */
export function countProcesses(command: readonly string[]): number {
  return globSync('/proc/[0-9]*/cmdline').filter((file) => read(file) === `${command.join('\0')}\0`).length;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // it ended meanwhile
  }
}

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { join } from 'node:path';
import { json, text } from 'node:stream/consumers';
import type { ServedPlugin } from '../plugins/served-for-docker.ts';

/** Speaks to a plugin as Docker does, by JSON over its socket. */
export type Answer = Readonly<Record<string, unknown>>;
export async function ask(
  socketPath: string,
  method: string,
  body: unknown = {},
  verb = 'POST',
): Promise<{ readonly status: number; readonly answer: Answer }> {
  const sent = request({ socketPath, path: `/${method}`, method: verb, agent: false });
  sent.end(typeof body === 'string' ? body : JSON.stringify(body));
  const [response] = await once(sent, 'response');
  if (response.headers['content-type'] === 'text/plain') return { status: response.statusCode, answer: { text: await text(response) } };
  return { status: response.statusCode, answer: (await json(response)) as Answer };
}
export async function call(socketPath: string, method: string, body: unknown = {}): Promise<Answer> {
  const { status, answer } = await ask(socketPath, method, body);
  assert.equal(status, 200, `${method}: ${JSON.stringify(answer)}`);
  return answer;
}

/** A plugin in a process of its own, to be killed. */
export async function startServed({ root, socketPath, dir }: ServedPlugin): Promise<ChildProcess> {
  const program = join(import.meta.dirname, '../../../sdk/legacy/process.ts');
  const child = spawn(process.execPath, [program, dir, socketPath, root], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout ?? child, 'data');
  return child;
}
export async function kill(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}

import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { messageOf } from '@gantry/sdk';
import { sendError } from '../http/error.ts';
import { statusOf } from '../status.ts';
import { errorHead } from '../streams/head.ts';

export interface HeldAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Of a whole JSON answer. */
  readonly body?: Buffer;
}

const held = ['writeHead', 'write', 'end', 'flushHeaders'] as const;

/**
 * Holds an answer until `allow` has resolved: a whole one is shown with its body when that is JSON, a stream by its head, before its first
 * byte. Refused: 403 takes its place, and a stream's source learns that its client is gone. While a stream is held its writer waits.
 */
export function holdResponse(response: ServerResponse, allow: (answer: HeldAnswer) => Promise<void>): void {
  const calls: (() => void)[] = [];
  let head: readonly [status: number, headers: readonly string[]] = [200, []];
  let isStream = false;
  const plain = {
    writeHead: response.writeHead.bind(response),
    write: response.write.bind(response),
    end: response.end.bind(response),
    flushHeaders: response.flushHeaders.bind(response),
  };
  const release = (): void => {
    for (const name of [...held, 'headersSent', 'writableNeedDrain']) Reflect.deleteProperty(response, name);
  };
  const decide = async (body: Buffer | undefined): Promise<void> => {
    try {
      await allow({ status: head[0], headers: headersOf(head[1]), ...(body === undefined ? {} : { body }) });
      release();
      if (response.destroyed) return;
      plain.writeHead(head[0], [...head[1]]);
      for (const call of calls) call();
      if (isStream) response.emit('drain');
    } catch (error) {
      release();
      if (response.destroyed) return;
      if (!isStream) sendError(response, statusOf(error), messageOf(error));
      else response.socket?.end(errorHead(statusOf(error), messageOf(error)), () => response.destroy());
    }
  };
  const startStream = (): void => {
    if (isStream) return;
    isStream = true;
    Object.defineProperty(response, 'headersSent', { configurable: true, value: true });
    Object.defineProperty(response, 'writableNeedDrain', { configurable: true, value: true });
    void decide(undefined);
  };
  Object.assign(response, {
    writeHead: (status: number, headers: OutgoingHttpHeaders | readonly string[] = []) => {
      head = [status, Array.isArray(headers) ? (headers as readonly string[]) : Object.entries(headers).flat().map(String)];
      return response;
    },
    flushHeaders: () => {
      startStream();
      calls.push(plain.flushHeaders);
    },
    write: (chunk: Buffer | string) => {
      startStream();
      calls.push(() => plain.write(chunk));
      return false;
    },
    end: (last?: Buffer | string) => {
      calls.push(() => (last === undefined ? plain.end() : plain.end(last)));
      if (!isStream) void decide(isJson(head[1]) && last !== undefined ? Buffer.from(last) : undefined);
      return response;
    },
  });
}

function isJson(headers: readonly string[]): boolean {
  return /^application\/json\s*(;|$)/i.test(headersOf(headers)['Content-Type'] ?? '');
}

function headersOf(headers: readonly string[]): Readonly<Record<string, string>> {
  const named: Record<string, string> = {};
  for (let index = 0; index < headers.length; index += 2) named[headers[index] ?? ''] = headers[index + 1] ?? '';
  return named;
}

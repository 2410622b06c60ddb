import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import {
  connectGrpc,
  decode,
  encode,
  type Handler,
  openSession,
  overPort,
  type PluginService,
  remote,
  serveGrpc,
  type Wire,
} from '@gantry/sdk/rpc';
import { serveSession } from '../../../sdk/rpc/session.ts';
import { quietLog } from '../machine/quiet-log.ts';

/** Both ends of a connection; `cut` ends the far one as when its process is killed. */
export interface Pair extends AsyncDisposable {
  readonly wire: Wire;
  readonly cut: () => Promise<void>;
}

/** Serves nothing. */
export const none: Handler = {
  unary: () => Promise.reject(new Error('nobody calls in this direction')),
  // eslint-disable-next-line require-yield
  async *stream() {
    throw new Error('nobody calls in this direction');
  },
};

async function overGrpc(handler: Handler): Promise<Pair> {
  const folder = mkdtempSync(join(tmpdir(), 'wire-'));
  const socket = join(folder, 's.sock');
  const server = await serveGrpc(socket, ['volume', 'log'], handler);
  const wire = await connectGrpc(`unix://${socket}`);
  const cut = async (): Promise<void> => server[Symbol.asyncDispose]();
  return {
    wire,
    cut,
    async [Symbol.asyncDispose]() {
      wire.close();
      await cut();
      rmSync(folder, { recursive: true });
    },
  };
}

async function overMessages(handler: Handler): Promise<Pair> {
  const { port1, port2 } = new MessageChannel();
  const wire = overPort(port1, none);
  const far = overPort(port2, handler);
  const cut = async (): Promise<void> => far.close();
  return {
    wire,
    cut,
    async [Symbol.asyncDispose]() {
      wire.close();
      await cut();
    },
  };
}

/** As the engine speaks with a plugin's process: frames in one gRPC stream. */
async function overSession(handler: Handler): Promise<Pair> {
  const folder = mkdtempSync(join(tmpdir(), 'wire-'));
  const socket = join(folder, 's.sock');
  const plugin: Handler = {
    unary: (...given) => none.unary(...given),
    async *stream(_name, requests) {
      async function* frames() {
        for await (const bytes of requests) yield decode('gantry.plugin.v1.Frame', bytes) as never;
      }
      for await (const frame of serveSession(frames(), handler, () => {})) yield encode('gantry.plugin.v1.Frame', frame);
    },
  };
  const server = await serveGrpc(socket, ['plugin'], plugin);
  const base = await connectGrpc(`unix://${socket}`);
  const ctx = { signal: new AbortController().signal, operationId: '', log: quietLog };
  const wire = openSession(remote<PluginService>(base, 'plugin'), { handler: none, ctx, onClose: () => {} });
  const cut = async (): Promise<void> => server[Symbol.asyncDispose]();
  return {
    wire,
    cut,
    async [Symbol.asyncDispose]() {
      wire.close();
      base.close();
      await cut();
      rmSync(folder, { recursive: true });
    },
  };
}

export const wirePairs: Readonly<Record<string, (handler: Handler) => Promise<Pair>>> = {
  gRPC: overGrpc,
  'a message port': overMessages,
  'a session': overSession,
};

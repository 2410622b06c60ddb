import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingHttpHeaders, request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '@gantry/sdk/engine';
import { serve } from '../../../plugins/frontend/docker/serve.ts';
import { quietLog } from '../machine/quiet-log.ts';

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}
export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const cliTimeoutMs = 30_000;

/** A Docker API socket and its clients: plain HTTP, raw bytes and the docker CLI. */
export class DockerApi {
  readonly socketPath: string;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  /** "GET /v1.51/info"; a body that is not text or bytes is sent as JSON. */
  async request(
    line: string,
    { body, headers = {} }: { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> } = {},
  ): Promise<Reply> {
    const [method = 'GET', path = '/'] = line.split(/ (.*)/s);
    const isRaw = body === undefined || typeof body === 'string' || Buffer.isBuffer(body);
    const bytes = isRaw ? body : JSON.stringify(body);
    const type = bytes === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(bytes)) };
    const request = httpRequest({ socketPath: this.socketPath, method, path, headers: { Connection: 'close', ...type, ...headers } });
    request.end(bytes);
    const [response] = await once(request, 'response');
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return { status: response.statusCode, headers: response.headers, text: Buffer.concat(chunks).toString() };
  }

  /** The JSON of a successful answer. */
  async json<T = unknown>(line: string, options?: Parameters<DockerApi['request']>[1]): Promise<T> {
    const { status, text } = await this.request(line, options);
    if (status >= 300) throw new Error(`${line}: ${status} ${text}`);
    return JSON.parse(text) as T;
  }

  /** A connection on which `text` was sent. */
  async raw(text: string): Promise<Socket> {
    const socket = connect({ path: this.socketPath, allowHalfOpen: true });
    await once(socket, 'connect');
    socket.write(text);
    return socket;
  }

  get environment(): Readonly<Record<string, string>> {
    return { DOCKER_HOST: `unix://${this.socketPath}`, DOCKER_BUILDKIT: '0', DOCKER_CONFIG: tmpdir() };
  }

  /** Runs the docker CLI; stdin is `input`. */
  async docker(args: readonly string[], { input = '' }: { readonly input?: string | Buffer } = {}): Promise<CliResult> {
    const child = spawn('docker', args, { env: { ...process.env, ...this.environment }, timeout: cliTimeoutMs, killSignal: 'SIGKILL' });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (data: Buffer) => (output.stdout += data.toString()));
    child.stderr.on('data', (data: Buffer) => (output.stderr += data.toString()));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    const [code] = await once(child, 'close');
    return { code, ...output };
  }
}

/** Serves an engine on a socket of its own until disposed. */
export async function dockerApi(engine: Engine): Promise<DockerApi & AsyncDisposable> {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-api-'));
  const socketPath = join(folder, 'docker.sock');
  const serving = await serve(
    { engine, hosts: [`unix://${socketPath}`] },
    { signal: new AbortController().signal, log: quietLog, operationId: 'test' },
  );
  return Object.assign(new DockerApi(socketPath), {
    [Symbol.asyncDispose]: async () => {
      await serving[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    },
  });
}

/** Everything that comes until the far end closes its side. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Splits stdcopy frames; what is not whole frames is refused. */
export function frames(bytes: Buffer): readonly { readonly stream: number; readonly text: string }[] {
  const found: { stream: number; text: string }[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const length = bytes.readUInt32BE(offset + 4);
    const end = offset + 8 + length;
    if (end > bytes.length) throw new Error(`a frame of ${length} bytes is cut off`);
    found.push({ stream: bytes.readUInt8(offset), text: bytes.toString('utf8', offset + 8, end) });
    offset = end;
  }
  return found;
}

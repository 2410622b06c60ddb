import type { Abortable } from '../types/index.ts';
import type { Hijacked } from './hijack.ts';
import { type Http, segment } from './http.ts';
import type { ExecAnswer } from './shapes.ts';

export interface ExecRequest {
  readonly Cmd: readonly string[];
  readonly Env?: readonly string[];
  readonly User?: string;
  readonly WorkingDir?: string;
  readonly Privileged?: boolean;
  readonly Tty?: boolean;
  readonly AttachStdin?: boolean;
  readonly AttachStdout?: boolean;
  readonly AttachStderr?: boolean;
  readonly DetachKeys?: string;
}

export class Execs {
  readonly #http: Http;
  constructor(http: Http) {
    this.#http = http;
  }

  async create(container: string, request: ExecRequest): Promise<{ readonly Id: string }> {
    return await this.#http.json('POST', `/containers/${segment(container)}/exec`, { json: request });
  }

  async startDetached(exec: string): Promise<void> {
    await this.#http.done('POST', `/exec/${segment(exec)}/start`, { json: { Detach: true, Tty: false } });
  }

  async start(
    exec: string,
    { tty, size, signal }: { readonly tty: boolean; readonly size?: readonly [rows: number, columns: number] | undefined } & Abortable,
  ): Promise<Hijacked> {
    const json = { Detach: false, Tty: tty, ...(tty && size !== undefined ? { ConsoleSize: size } : {}) };
    return await this.#http.hijack('POST', `/exec/${segment(exec)}/start`, { json, signal });
  }

  async resize(exec: string, { rows, columns }: { readonly rows: number; readonly columns: number }): Promise<void> {
    await this.#http.done('POST', `/exec/${segment(exec)}/resize`, { query: { h: rows, w: columns } });
  }

  async inspect(exec: string): Promise<ExecAnswer> {
    return await this.#http.json('GET', `/exec/${segment(exec)}/json`);
  }
}

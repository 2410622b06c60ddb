import { unavailable } from '../errors.ts';
import { connectGrpc } from '../rpc/grpc-client.ts';
import type { Wire } from '../rpc/wire.ts';

/** The way to the engine, which may be another one from some moment on. */
export class HostWire implements Wire {
  #wire: Wire | undefined;

  async connect(endpoint: string): Promise<void> {
    const next = await connectGrpc(endpoint);
    this.#wire?.close();
    this.#wire = next;
  }

  /** An open one; the one before stays open for what is under way. */
  use(wire: Wire): void {
    this.#wire = wire;
  }

  unary(...given: Parameters<Wire['unary']>): ReturnType<Wire['unary']> {
    return this.#connected().unary(...given);
  }

  stream(...given: Parameters<Wire['stream']>): ReturnType<Wire['stream']> {
    return this.#connected().stream(...given);
  }

  close(): void {
    this.#wire?.close();
    this.#wire = undefined;
  }

  #connected(): Wire {
    if (this.#wire === undefined) throw unavailable('no engine has said yet where it is');
    return this.#wire;
  }
}

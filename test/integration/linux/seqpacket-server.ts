import { closeSync, rmSync } from 'node:fs';
import { SeqpacketSocket, Watch } from '@gantry/sdk/linux';
import { declare } from '../../../sdk/linux/calls.ts';
import { checked } from '../../../sdk/linux/errno.ts';

/** A listening SOCK_SEQPACKET unix socket, standing in for conmon's. */
export class SeqpacketServer implements Disposable {
  readonly #path: string;
  readonly #listener: number;
  readonly #watch: Watch;
  readonly #accepted: SeqpacketSocket[] = [];
  #waiting: PromiseWithResolvers<SeqpacketSocket> | undefined;

  constructor(path: string, backlog = 8) {
    this.#path = path;
    this.#listener = checked(socket(1, 5 | 0o2000000, 0), 'socket');
    const address = Buffer.alloc(110);
    address.writeUInt16LE(1);
    address.write(path, 2);
    checked(bind(this.#listener, address, 110), 'bind');
    checked(listen(this.#listener, backlog), 'listen');
    this.#watch = new Watch(this.#listener, () => this.#accept());
    this.#watch.want({});
  }

  accept(): Promise<SeqpacketSocket> {
    this.#waiting = Promise.withResolvers<SeqpacketSocket>();
    this.#watch.want({ readable: true });
    return this.#waiting.promise;
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
    for (const accepted of this.#accepted) accepted.close();
    closeSync(this.#listener);
    rmSync(this.#path, { force: true });
  }

  #accept(): void {
    this.#watch.want({});
    const accepted = new SeqpacketSocket(checked(accept4(this.#listener, null, null, 0o2004000), 'accept4'));
    this.#accepted.push(accepted);
    this.#waiting?.resolve(accepted);
  }
}

const socket = declare<(domain: number, type: number, protocol: number) => number>('socket', 'int', ['int', 'int', 'int']);
const bind = declare<(socket: number, address: Uint8Array, sizeBytes: number) => number>('bind', 'int', ['int', 'void *', 'uint']);
const listen = declare<(socket: number, backlog: number) => number>('listen', 'int', ['int', 'int']);
const accept4 = declare<(socket: number, address: null, sizeBytes: null, flags: number) => number>('accept4', 'int', [
  'int',
  'void *',
  'void *',
  'int',
]);

import { Duplex } from 'node:stream';
import { decode, encode } from './messages.ts';
import type { SessionCall } from './session.ts';

/** A call whose messages carry bytes both ways, as a stream. It ends when the client ends it; destroying it ends the call. */
export function byteStream(call: SessionCall): Duplex {
  const bytes = bytesOf(call)[Symbol.asyncIterator]();
  return new Duplex({
    read() {
      bytes.next().then(
        ({ value, done }) => this.push(done === true ? null : value),
        (error: unknown) => this.destroy(error instanceof Error ? error : new Error(String(error))),
      );
    },
    write(chunk: Buffer, _encoding, done) {
      call.send(encode('BytesMessage', { data: chunk }));
      call.onTaken(done);
    },
    final(done) {
      call.end();
      done();
    },
    destroy(error, done) {
      call[Symbol.dispose]();
      done(error);
    },
  });
}

/** What its messages carry; empty ones say nothing. */
export async function* bytesOf(call: SessionCall): AsyncIterable<Buffer> {
  for await (const message of call) {
    const { data } = decode<{ readonly data: Uint8Array }>('BytesMessage', message);
    if (data.length > 0) yield Buffer.from(data);
  }
}

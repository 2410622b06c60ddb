import type { Progress } from '../engine/index.ts';
import { internal } from '../errors.ts';
import { jsonLines } from './json-lines.ts';

/** A progress message as it comes over the wire; a failure in it is thrown, not handed on. */
type Message = Progress & { readonly error?: string; readonly errorDetail?: { readonly message?: string } };

export async function* messages(stream: AsyncIterable<Buffer>): AsyncGenerator<Progress> {
  for await (const message of jsonLines<Message>(stream)) {
    const failure = message.errorDetail?.message ?? message.error;
    if (failure !== undefined) throw internal(failure);
    yield message;
  }
}

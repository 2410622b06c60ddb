import { codeOf, internal } from '@gantry/sdk';
import { textOf } from '../status.ts';

/** Work that asks a registry. One that cannot be reached is no fault of the engine, but Docker's clients know 503 only of swarm mode. */
export async function fromRegistry<T>(work: Promise<T>): Promise<T> {
  return await work.catch((error: unknown) => {
    throw codeOf(error) === 'unavailable' ? internal(textOf(error), { cause: error }) : error;
  });
}

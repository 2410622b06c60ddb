import type { Metadata, ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import { cancelled } from '@gantry/sdk';

/** A call with one question, whose message nobody has read yet. */
export interface Call {
  readonly request: Buffer;
  readonly metadata: Metadata;
  on(event: 'cancelled', listener: () => void): unknown;
}
/** A call with one question and many answers. */
export interface Stream extends Omit<Call, 'on'> {
  once(event: 'drain' | 'close' | 'cancelled', listener: () => void): unknown;
  readonly cancelled: boolean;
  write(message: Buffer): unknown;
  end(): void;
  emit(event: 'error', error: Error): unknown;
}
export type Unary = (request: Buffer, call: Call) => Promise<Buffer> | Buffer;
export type Streaming = (call: Stream) => AsyncIterable<Buffer>;
type Answer = (error: object | null, bytes?: Buffer) => void;

export interface Service {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

/** Methods with one answer each, of the service with this name. What they throw is told as `failure` says. */
export function unaryService(path: string, methods: Readonly<Record<string, Unary>>, failure: (thrown: unknown) => Error): Service {
  const answer = async (method: Unary, call: Call, done: Answer): Promise<void> => {
    try {
      done(null, await method(call.request, call));
    } catch (error) {
      done(failure(error));
    }
  };
  return {
    definition: definitionOf(path, Object.keys(methods), false),
    implementation: mapped(methods, (method) => (call: Call, done: Answer) => void answer(method, call, done)),
  };
}

/** Methods that answer with as many messages as they like. */
export function streamService(path: string, methods: Readonly<Record<string, Streaming>>, failure: (thrown: unknown) => Error): Service {
  return {
    definition: definitionOf(path, Object.keys(methods), true),
    implementation: mapped(methods, (method) => (call: Stream) => void pour(call, method(call), failure)),
  };
}

/** Aborted when whoever asks goes away. */
export function goneSignal(call: Stream): AbortSignal {
  const gone = new AbortController();
  call.once('cancelled', () => gone.abort(cancelled('the client went away')));
  return gone.signal;
}

async function pour(call: Stream, messages: AsyncIterable<Buffer>, failure: (thrown: unknown) => Error): Promise<void> {
  try {
    for await (const message of messages) {
      if (call.cancelled) return;
      if (call.write(message) === false) await untilTaken(call);
    }
    call.end();
  } catch (error) {
    // Not by destroying it: then its status would not be sent any more.
    call.emit('error', failure(error));
  }
}

function untilTaken(call: Stream): Promise<void> {
  return new Promise((resolve) => {
    call.once('drain', resolve);
    call.once('close', resolve);
    call.once('cancelled', resolve);
  });
}

const same = (bytes: Buffer): Buffer => bytes;
const bytesOnly = { requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };

function definitionOf(path: string, methods: readonly string[], responseStream: boolean): ServiceDefinition {
  return Object.fromEntries(
    methods.map((name) => [name, { path: `/${path}/${name}`, requestStream: false, responseStream, ...bytesOnly }]),
  );
}

function mapped<T, U>(values: Readonly<Record<string, T>>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));
}

import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { exhausted, type GantryError, unavailable } from '../errors.ts';
import { schema } from './schema.ts';
import { fromStatus } from './status.ts';
import { type CallFacts, maxMessageBytes, type MethodName, type Wire } from './wire.ts';

export interface GrpcClientOptions {
  /** Of the first connection; the channel then reconnects by itself. */
  readonly connectTimeoutMs?: number;
  readonly keepaliveMs?: number;
  /** Longest message to the peer; what both sides keep to unless given. */
  readonly maxSendBytes?: number;
}

/** Connects to a unix socket: "unix:///path". Rejects with `unavailable` when nobody answers in time. */
export async function connectGrpc(
  address: string,
  { connectTimeoutMs = 10_000, keepaliveMs = 10_000, maxSendBytes = maxMessageBytes }: GrpcClientOptions = {},
): Promise<Wire> {
  const client = new Client(address, credentials.createInsecure(), {
    'grpc.keepalive_time_ms': keepaliveMs,
    'grpc.keepalive_timeout_ms': keepaliveMs,
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': maxSendBytes,
    'grpc.initial_reconnect_backoff_ms': 50,
    'grpc.max_reconnect_backoff_ms': 1000,
    'grpc.default_authority': 'localhost',
    'grpc.enable_retries': 0,
    'grpc.service_config_disable_resolution': 1,
    // Generations come and go: what one address did must not be remembered for the next.
    'grpc.use_local_subchannel_pool': 1,
  });
  await new Promise<void>((resolve, reject) => {
    const giveUp = (cause?: Error): void => {
      clearTimeout(patience);
      client.close();
      reject(unavailable(`nobody answers at ${address}`, { cause }));
    };
    // grpc-js counts its deadlines by the clock of the wall, which may jump; and it tells nobody who waits that the client was closed.
    const patience = setTimeout(giveUp, connectTimeoutMs);
    client.waitForReady(Infinity, (error) => {
      if (error) return giveUp(error);
      clearTimeout(patience);
      resolve();
    });
  });
  return new GrpcWire(client);
}

const same = (bytes: Buffer): Buffer => bytes;
const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

class GrpcWire implements Wire {
  readonly #client: Client;
  constructor(client: Client) {
    this.#client = client;
  }

  unary(name: MethodName, request: Uint8Array, facts: CallFacts): Promise<Uint8Array> {
    const { signal } = facts;
    if (signal.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const call = this.#client.makeUnaryRequest(pathOf(name), same, same, asBuffer(request), metadataOf(facts), {}, (error, answer) => {
        signal.removeEventListener('abort', onAbort);
        if (error !== null) reject(signal.aborted ? signal.reason : translated(error));
        else resolve(answer ?? Buffer.alloc(0));
      });
      const onAbort = (): void => {
        call.cancel();
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  async *stream(name: MethodName, requests: AsyncIterable<Uint8Array>, facts: CallFacts): AsyncIterable<Uint8Array> {
    const { signal } = facts;
    signal.throwIfAborted();
    const call = this.#client.makeBidiStreamRequest(pathOf(name), same, same, metadataOf(facts), {});
    const cancel = (): void => call.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    // What the caller's own requests throw ends the call, and is told instead of "cancelled".
    let ownFailure: unknown;
    let isOver = false;
    const sending = send(requests, call, () => isOver).catch((error: unknown) => {
      ownFailure = error;
      call.cancel();
    });
    try {
      for await (const bytes of call as AsyncIterable<Buffer>) yield bytes;
    } catch (error) {
      throw ownFailure ?? (signal.aborted ? signal.reason : isServiceError(error) ? translated(error) : error);
    } finally {
      isOver = true;
      signal.removeEventListener('abort', cancel);
      call.cancel();
      void sending;
    }
  }

  close(): void {
    this.#client.close();
  }
}

interface Sending {
  write(chunk: Buffer): boolean;
  end(): void;
  once(event: string, listener: () => void): unknown;
  off(event: string, listener: () => void): unknown;
}

async function send(requests: AsyncIterable<Uint8Array>, call: Sending, isOver: () => boolean): Promise<void> {
  for await (const request of requests) {
    // A call that has ended takes what is written to it, without end.
    if (isOver()) return;
    if (!call.write(asBuffer(request))) await roomIn(call);
  }
  call.end();
}

function roomIn(call: Sending): Promise<void> {
  const events = ['drain', 'close', 'error', 'end'];
  return new Promise((resolve) => {
    const go = (): void => {
      for (const event of events) call.off(event, go);
      resolve();
    };
    for (const event of events) call.once(event, go);
  });
}

function pathOf({ service, method }: MethodName): string {
  const known = schema.services[service];
  return `/${known?.path}/${known?.methods[method]?.rpc}`;
}

function metadataOf({ driver, operationId }: CallFacts): Metadata {
  const metadata = new Metadata();
  if (driver !== '') metadata.set('gantry-driver', driver);
  if (operationId !== '') metadata.set('gantry-operation', operationId);
  return metadata;
}

const isServiceError = (error: unknown): error is ServiceError => error instanceof Error && 'code' in error && 'details' in error;

function translated(error: ServiceError): GantryError {
  const [details] = error.metadata?.get('grpc-status-details-bin') ?? [];
  // The caller's own abort is told before: a peer that cancels without a word of its own has stopped serving in the middle, as by force.
  if (error.code === status.CANCELLED && details === undefined)
    return unavailable('the peer gave the call up', { cause: error, reason: 'CONNECTION_LOST' });
  // By our own side of the channel, for a message beyond the limit.
  if (error.code === status.RESOURCE_EXHAUSTED && details === undefined)
    return exhausted(`the answer is too long: ${error.details}`, { cause: error, reason: 'INVALID_ANSWER' });
  // Only what the peer itself said counts as its answer; a lost connection has no details.
  const lost =
    details === undefined && (error.code === status.UNAVAILABLE || error.code === status.INTERNAL || error.code === status.UNKNOWN);
  if (lost) return unavailable(`the connection broke: ${error.details}`, { cause: error, reason: 'CONNECTION_LOST' });
  return fromStatus({
    code: error.code,
    message: error.details,
    details: details === undefined || typeof details === 'string' ? undefined : details,
  });
}

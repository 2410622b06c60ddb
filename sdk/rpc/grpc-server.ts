import { chmodSync } from 'node:fs';
import { type Duplex, Readable } from 'node:stream';
import { Metadata, Server, ServerCredentials, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { invalidArgument, unavailable } from '../errors.ts';
import { schema } from './schema.ts';
import { toStatus } from './status.ts';
import { type CallFacts, type Handler, maxMessageBytes, type MethodName } from './wire.ts';

/** Serves on a unix socket, for whoever may open it. Node cuts a longer path silently (sun_path has 108 bytes), so it is refused here. */
export async function serveGrpc(socketPath: string, services: readonly string[], handler: Handler): Promise<AsyncDisposable> {
  if (Buffer.byteLength(socketPath) > 107) throw invalidArgument(`socket path ${socketPath} has more than 107 bytes`);
  const server = new Server({ 'grpc.max_receive_message_length': maxMessageBytes, 'grpc.max_send_message_length': maxMessageBytes });
  for (const service of services) server.addService(definitionOf(service), implementationOf(service, handler));
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix://${socketPath}`, ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(unavailable(`cannot listen at ${socketPath}: ${error.message}`, { cause: error }));
    });
  });
  chmodSync(socketPath, 0o600);
  return {
    [Symbol.asyncDispose]: async () => {
      server.forceShutdown();
    },
  };
}

const same = (bytes: Buffer): Buffer => bytes;

function definitionOf(service: string): ServiceDefinition {
  const known = schema.services[service];
  return Object.fromEntries(
    Object.entries(known?.methods ?? {}).map(([method, { rpc, requestStream = false, answerStream = false }]) => [
      method,
      {
        path: `/${known?.path}/${rpc}`,
        requestStream: requestStream || answerStream,
        responseStream: requestStream || answerStream,
        requestSerialize: same,
        requestDeserialize: same,
        responseSerialize: same,
        responseDeserialize: same,
      },
    ]),
  );
}

interface ServerCall {
  readonly metadata: Metadata;
  readonly cancelled: boolean;
  on(event: 'cancelled', listener: () => void): unknown;
}
type Answer = (error: object | null, answer?: Buffer) => void;

function implementationOf(service: string, handler: Handler): UntypedServiceImplementation {
  return Object.fromEntries(
    Object.entries(schema.services[service]?.methods ?? {}).map(([method, { requestStream, answerStream }]) => {
      const name: MethodName = { service, method };
      const isStream = requestStream === true || answerStream === true;
      return [method, isStream ? streamCall(name, handler) : unaryCall(name, handler)];
    }),
  ) as UntypedServiceImplementation;
}

function unaryCall(name: MethodName, handler: Handler) {
  return (call: ServerCall & { readonly request: Buffer }, answer: Answer): void => {
    handler.unary(name, call.request, factsOf(call)).then(
      (bytes) => answer(null, bytes as Buffer),
      (error: unknown) => answer(failure(error)),
    );
  };
}

function streamCall(name: MethodName, handler: Handler) {
  return (call: ServerCall & Duplex): void => {
    const facts = factsOf(call);
    // A driver that has heard enough must not close the stream that its answers go out by.
    const requests = call.iterator({ destroyOnReturn: false });
    const answers = Readable.from(handler.stream(name, requests, facts), { highWaterMark: 4 });
    // Not `destroy`: grpc-js sends the status when the stream ends, which a destroyed one no longer does.
    answers.on('error', (error: unknown) => call.emit('error', failure(error)));
    answers.on('data', (bytes: Buffer) => {
      if (!call.write(bytes)) {
        answers.pause();
        call.once('drain', () => answers.resume());
      }
    });
    answers.on('end', () => call.end());
    facts.signal.addEventListener('abort', () => answers.destroy(), { once: true });
  };
}

function factsOf(call: ServerCall): CallFacts {
  const controller = new AbortController();
  call.on('cancelled', () => controller.abort(new DOMException('the caller went away', 'AbortError')));
  const text = (key: string): string => String(call.metadata.get(key)[0] ?? '');
  return { driver: text('gantry-driver'), operationId: text('gantry-operation'), signal: controller.signal };
}

function failure(error: unknown): Error {
  const { code, message, details } = toStatus(error);
  const metadata = new Metadata();
  if (details !== undefined) metadata.set('grpc-status-details-bin', Buffer.from(details));
  return Object.assign(new Error(message), { code, details: message, metadata });
}

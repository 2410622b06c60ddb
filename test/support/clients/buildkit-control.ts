import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import protobuf from 'protobufjs';

/** As BuildKit's api/services/control/control.proto has them, as far as histories and caches go. */
const proto = `syntax = "proto3";
message Timestamp { int64 seconds = 1; int32 nanos = 2; }
message Status { int32 code = 1; string message = 2; }
message Exporter { string Type = 1; map<string, string> Attrs = 2; }
message BuildHistoryRequest { bool ActiveOnly = 1; string Ref = 2; bool EarlyExit = 3; repeated string Filter = 4; int32 Limit = 5; }
enum BuildHistoryEventType { STARTED = 0; COMPLETE = 1; DELETED = 2; }
message BuildHistoryEvent { BuildHistoryEventType type = 1; BuildHistoryRecord record = 2; }
message BuildHistoryRecord {
  string Ref = 1; string Frontend = 2; map<string, string> FrontendAttrs = 3; repeated Exporter Exporters = 4; Status error = 5;
  Timestamp CreatedAt = 6; Timestamp CompletedAt = 7; map<string, string> ExporterResponse = 9; bool pinned = 14;
  int32 numCachedSteps = 15; int32 numTotalSteps = 16; int32 numCompletedSteps = 17; int32 numWarnings = 19;
}
message UpdateBuildHistoryRequest { string Ref = 1; bool Pinned = 2; bool Delete = 3; bool Finalize = 4; }
message UpdateBuildHistoryResponse { }
message StatusRequest { string Ref = 1; }
message StatusResponse { repeated Vertex vertexes = 1; repeated VertexLog logs = 3; }
message Vertex { string digest = 1; repeated string inputs = 2; string name = 3; bool cached = 4; Timestamp started = 5; Timestamp completed = 6; string error = 7; }
message VertexLog { string vertex = 1; Timestamp timestamp = 2; int64 stream = 3; bytes msg = 4; }
message DiskUsageRequest { repeated string filter = 1; int64 ageLimit = 2; }
message DiskUsageResponse { repeated UsageRecord record = 1; }
message PruneRequest { repeated string filter = 1; bool all = 2; int64 keepDuration = 3; int64 reservedSpace = 4; int64 maxUsedSpace = 5; int64 minFreeSpace = 6; }
message UsageRecord { string ID = 1; bool InUse = 3; int64 Size = 4; int64 UsageCount = 8; string Description = 9; string RecordType = 10; bool Shared = 11; repeated string parents = 12; }
`;
const { root } = protobuf.parse(proto, { keepCase: true });

/** Asks BuildKit's Control service of an engine, as its clients do, through POST /grpc. Ends with the answer's last message, or throws its status. */
export async function* askControl<T>(
  socketPath: string,
  method: string,
  { request, value, answer }: { readonly request: string; readonly value: object; readonly answer: string },
): AsyncGenerator<T, void> {
  const socket = await upgradedTo(socketPath, '/grpc');
  const http = connectHttp2('http://engine', { createConnection: () => socket });
  http.on('error', () => {});
  try {
    const path = `/moby.buildkit.v1.Control/${method}`;
    const stream = http.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' });
    let [status, said] = ['', ''];
    const heard = ({ 'grpc-status': code, 'grpc-message': message }: Readonly<Record<string, unknown>>): void => {
      if (typeof code === 'string') [status, said] = [code, typeof message === 'string' ? message : ''];
    };
    stream.on('response', heard).on('trailers', heard);
    const [asked, answered] = [root.lookupType(request), root.lookupType(answer)];
    stream.end(framed(Buffer.from(asked.encode(asked.fromObject(value)).finish())));
    let buffer = Buffer.alloc(0);
    for await (const chunk of stream) {
      buffer = Buffer.concat([buffer, chunk as Buffer]);
      while (buffer.length >= 5 && buffer.length >= 5 + buffer.readUInt32BE(1)) {
        const end = 5 + buffer.readUInt32BE(1);
        yield answered.toObject(answered.decode(buffer.subarray(5, end)), { defaults: true, enums: String, longs: Number }) as T;
        buffer = buffer.subarray(end);
      }
    }
    if (status !== '0') throw new Error(`status ${status}: ${decodeURIComponent(said)}`);
  } finally {
    http.destroy();
  }
}

export async function upgradedTo(socketPath: string, path: string, headers: Readonly<Record<string, string>> = {}): Promise<Socket> {
  const socket = connect(socketPath);
  socket.on('error', () => {});
  const lines = Object.entries({ Host: 'docker', Upgrade: 'h2c', Connection: 'Upgrade', ...headers });
  socket.write(`POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
  let head: Buffer = Buffer.alloc(0);
  while (!head.includes('\r\n\r\n')) head = Buffer.concat([head, (await once(socket, 'data'))[0] as Buffer]);
  assert.match(head.toString(), /^HTTP\/1\.1 101 /);
  socket.pause();
  // The engine may have begun to speak HTTP/2 right behind it.
  socket.unshift(head.subarray(head.indexOf('\r\n\r\n') + 4));
  return socket;
}

/** gRPC's frame: not compressed, length, message. */
export function framed(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

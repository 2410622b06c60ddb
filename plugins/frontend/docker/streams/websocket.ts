import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { Peer } from './peer.ts';

const maxMessageBytes = 1024 * 1024;

/** Answers the handshake of RFC 6455 (a request that is none gets 400) and gives the far end: both ways the bytes as they are, in binary messages. */
export function acceptWebSocket(request: IncomingMessage, socket: Duplex): Peer {
  server ??= new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false, maxPayload: maxMessageBytes });
  // The handshake is answered before handleUpgrade returns; when it is refused, nobody reads or writes.
  let stream: Duplex = socket;
  server.handleUpgrade(request, socket, Buffer.alloc(0), (client) => {
    stream = createWebSocketStream(client);
    // What is no frame ends the connection, and with it the attachment.
    stream.on('error', () => stream.destroy());
  });
  return new Peer({ input: stream, output: stream, tty: true });
}

let server: WebSocketServer | undefined;

/**
 * A plugin that says it listens and does not speak as one: `socket.json` beside it says what it does at its socket. Its module never finishes loading, so the
 * SDK's server never starts.
 */
import { readFileSync, symlinkSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Speaks } from './socket-fault.ts';

const { speaks, target = '' } = JSON.parse(readFileSync(join(import.meta.dirname, 'socket.json'), 'utf8')) as Speaks;
const { GANTRY_PLUGIN_ENDPOINT: endpoint = '' } = process.env;
const path = endpoint.replace('unix://', '');

const handlers: Readonly<Record<Exclude<Speaks['speaks'], 'elsewhere'>, (socket: Socket) => void>> = {
  nothing: () => {},
  'http/1.1': (socket) => void socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n'),
  noise: (socket) => void socket.write(Buffer.alloc(65_536, 0xfe)),
  'an end': (socket) => void socket.destroy(),
};

if (speaks === 'elsewhere') symlinkSync(target, path);
else await new Promise<void>((resolve) => createServer(handlers[speaks]).listen(path, resolve));
console.log(`GANTRY-PLUGIN 1 ${JSON.stringify({ endpoint: 'unix:///etc/passwd', name: 'another', version: '6.6.6', pid: 1 })}`);
process.stdin.resume().once('close', () => process.exit(0));
await new Promise(() => {});

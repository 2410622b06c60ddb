import { closeSync, constants, openSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { compareLogTime, type Entry, parseLogTime } from '@gantry/sdk/log';
import { decodeEntry } from '@gantry/sdk/legacy/wire';
import type { DockerMethod } from './docker-plugin.ts';

interface Stored {
  readonly frames: { readonly entry: Entry; readonly frame: Buffer }[];
  readonly readers: Set<() => void>;
  open: number;
}
interface Pipe {
  readonly pipe: number;
  readonly id: string;
  socket?: Socket;
}
interface Info {
  readonly ContainerID: string;
}

/** A whole log plugin as people write them for Docker: reads its pipes, keeps what it read, gives it back. */
export class DockerLogPlugin implements Disposable {
  readonly #stored = new Map<string, Stored>();
  readonly #pipes = new Map<string, Pipe>();
  /** The plugin's name for a path of the engine's, when it has a root of its own. */
  readonly #hostPath: (path: string) => string;
  /** While it is set, nothing is read. */
  isStuck = false;
  lastInfo: unknown;
  lastConfig: unknown;

  constructor(hostPath: (path: string) => string = (path) => path) {
    this.#hostPath = hostPath;
  }

  readonly methods: Readonly<Record<string, DockerMethod>> = {
    'LogDriver.Capabilities': () => ({ Cap: { ReadLogs: true } }),
    'LogDriver.StartLogging': ({ File, Info: info }) => this.#start(String(File), info as Info),
    'LogDriver.StopLogging': ({ File }) => this.#stop(String(File)),
    'LogDriver.ReadLogs': ({ Info: info, Config }, response) => this.#read((info as Info).ContainerID, Config, response),
  };

  entries(id: string): readonly Entry[] {
    return this.#of(id).frames.map(({ entry }) => entry);
  }

  /** Goes on after `isStuck`. */
  resume(): void {
    this.isStuck = false;
    for (const path of this.#pipes.keys()) this.#listen(path);
  }

  [Symbol.dispose](): void {
    for (const pipe of this.#pipes.values()) close(pipe);
  }

  #start(path: string, info: Info): object {
    this.lastInfo = info;
    this.#of(info.ContainerID).open += 1;
    const pipe = openSync(this.#hostPath(path), constants.O_RDONLY | constants.O_NONBLOCK);
    this.#pipes.set(path, { pipe, id: info.ContainerID });
    if (!this.isStuck) this.#listen(path);
    return {};
  }

  #listen(path: string): void {
    const found = this.#pipes.get(path);
    if (found === undefined || found.socket !== undefined) return;
    const socket = new Socket({ fd: found.pipe, readable: true, writable: false });
    const stored = this.#of(found.id);
    let rest: Buffer = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE()) {
        const frame = Buffer.from(rest.subarray(4, 4 + rest.readUInt32BE()));
        rest = rest.subarray(4 + frame.length);
        stored.frames.push({ entry: decodeEntry(frame), frame });
      }
      for (const tell of stored.readers) tell();
    });
    found.socket = socket;
  }

  #stop(path: string): object {
    const pipe = this.#pipes.get(path);
    if (pipe === undefined) return {};
    this.#pipes.delete(path);
    close(pipe);
    const stored = this.#of(pipe.id);
    stored.open -= 1;
    for (const tell of stored.readers) tell();
    return {};
  }

  #read(id: string, config: unknown, response: ServerResponse): void {
    this.lastConfig = config;
    const { Since, Until, Tail, Follow } = config as { Since: string; Until: string; Tail: number; Follow: boolean };
    const [since, until] = [parseLogTime(Since), parseLogTime(Until)];
    const stored = this.#of(id);
    let at = Tail < 0 ? 0 : Math.max(0, stored.frames.length - Tail);
    const tell = (): void => {
      for (; at < stored.frames.length; at += 1) {
        const found = stored.frames[at];
        if (found === undefined) continue;
        const { time } = found.entry;
        if (since !== undefined && compareLogTime(time, since) < 0) continue;
        if (until !== undefined && until.seconds > 0 && compareLogTime(time, until) > 0) continue;
        const size = Buffer.alloc(4);
        size.writeUInt32BE(found.frame.length);
        response.write(Buffer.concat([size, found.frame]));
      }
      if (!Follow || stored.open === 0) {
        stored.readers.delete(tell);
        response.end();
      }
    };
    response.flushHeaders();
    response.on('close', () => stored.readers.delete(tell));
    stored.readers.add(tell);
    tell();
  }

  #of(id: string): Stored {
    const found = this.#stored.get(id) ?? { frames: [], readers: new Set(), open: 0 };
    this.#stored.set(id, found);
    return found;
  }
}

function close({ pipe, socket }: Pipe): void {
  if (socket === undefined) closeSync(pipe);
  else socket.destroy();
}

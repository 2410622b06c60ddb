import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import type { ImageArchive, ImageOptions } from './image-archive.ts';
import { makeImage } from './image-archive.ts';
import { endOfArchive, entry, header } from './tar-builder.ts';

/** The image most tests run: the machine's static busybox, with every applet. No registry is needed for it. */
export function busyboxImage(options: Omit<Partial<ImageOptions>, 'layers'> = {}): ImageArchive {
  const config = { Cmd: ['sh'], Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'] };
  return makeImage({ reference: 'busybox:latest', config, ...options, layers: [busyboxLayer()] });
}

/** The layer tar: sorted, epoch times, owned by root; the same bytes for the same busybox. */
export function busyboxLayer(): Buffer {
  const applets = execFileSync(busybox, ['--list-full'], { encoding: 'utf8' }).trim().split('\n').toSorted();
  return Buffer.concat([
    ...folders.map(([name, mode]) => header({ name: `${name}/`, type: '5', mode })),
    ...Object.entries(files).map(([name, text]) => entry(name, text)),
    entry('bin/busybox', staticBusybox(), { mode: 0o755 }),
    ...applets.filter((name) => name !== 'bin/busybox').map((name) => header({ name, type: '2', link: '/bin/busybox', mode: 0o777 })),
    endOfArchive,
  ]);
}

/** Unpacks the layer into a folder, for what works below the engine: bundles, drivers, runtimes. Needs root to own it as root. */
export function busyboxRootfs(folder: string): void {
  mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['--extract', '--directory', folder], { input: busyboxLayer() });
}

const busybox = '/bin/busybox';

const folders: readonly (readonly [string, number])[] = [
  ...['bin', 'dev', 'etc', 'home', 'proc', 'sbin', 'sys', 'usr', 'usr/bin', 'usr/sbin', 'var'].map((name) => [name, 0o755] as const),
  ['root', 0o700],
  ['tmp', 0o1777],
];

const files: Readonly<Record<string, string>> = {
  'etc/group': 'root:x:0:\ndaemon:x:1:\nusers:x:100:guest\nnobody:x:65534:\n',
  'etc/passwd':
    'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nguest:x:1000:100:guest:/home:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n',
};

function staticBusybox(): Buffer {
  const bytes = readFileSync(busybox);
  if (hasInterpreter(bytes)) throw new Error(`${busybox} is linked to libraries of this machine: install busybox-static`);
  return bytes;
}

/** A program header of type PT_INTERP (3) asks for a dynamic loader. Offsets are those of 64-bit ELF, elf(5). */
function hasInterpreter(elf: Buffer): boolean {
  const offset = Number(elf.readBigUInt64LE(32));
  const [size, count] = [elf.readUInt16LE(54), elf.readUInt16LE(56)];
  return Array.from({ length: count }, (_, index) => elf.readUInt32LE(offset + index * size)).includes(3);
}

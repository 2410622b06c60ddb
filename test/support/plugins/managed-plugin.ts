import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A folder for `docker plugin create`: busybox, this Node with its libraries, and a volume plugin that mounts a tmpfs per volume. */
export function writeManagedPlugin(folder: string, wishes: { readonly pidhost?: boolean } = {}): void {
  const rootfs = join(folder, 'rootfs');
  const copy = (from: string, to: string): void => {
    mkdirSync(dirname(join(rootfs, to)), { recursive: true });
    cpSync(realpathSync(from), join(rootfs, to));
  };
  copy('/bin/busybox', '/bin/busybox');
  for (const applet of ['mount', 'umount']) symlinkSync('busybox', join(rootfs, 'bin', applet));
  copy(process.execPath, '/usr/bin/node');
  for (const library of librariesOf(process.execPath)) copy(library, library);
  // A stranger's image may well have links that lead elsewhere.
  symlinkSync('/../../../../tmp', join(rootfs, 'run'));
  mkdirSync(join(rootfs, 'tmp'));
  writeFileSync(join(rootfs, 'plugin.cjs'), program);
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, ...wishes }));
}

function librariesOf(file: string): readonly string[] {
  const listed = execFileSync('ldd', [file], { encoding: 'utf8' });
  return listed.split('\n').flatMap((line) => /(?:=>)?\s(\/\S+) \(0x/.exec(line)?.[1] ?? []);
}

const config = {
  description: 'volumes in memory',
  documentation: 'https://example.invalid',
  interface: { types: ['docker.volumedriver/1.0'], socket: 'mem.sock' },
  entrypoint: ['node', '/plugin.cjs'],
  workdir: '',
  network: { type: 'none' },
  linux: { capabilities: ['CAP_SYS_ADMIN'], allowAllDevices: false, devices: null },
  mounts: null,
  propagatedMount: '/volumes',
  env: [{ name: 'SIZE', description: 'of each', value: '1m', settable: ['value'] }],
  args: { name: 'args', description: '', value: ['--quiet'], settable: ['value'] },
};

/** Its state is what is mounted: nothing is lost when it is killed. */
const program = `const { createServer } = require('node:http');
const { execFileSync } = require('node:child_process');
const { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, rmdirSync } = require('node:fs');
const socket = '/run/docker/plugins/mem.sock';
const at = (name) => '/volumes/' + name;
const isMounted = (name) => readFileSync('/proc/self/mounts', 'utf8').includes(' ' + at(name) + ' ');
const busybox = (...words) => execFileSync('/bin/busybox', words);
const seen = { args: process.argv.slice(2), root: readdirSync('/').join(' '), uid: process.getuid(), size: process.env.SIZE };
const shown = (name) => ({ Name: name, Mountpoint: at(name), Status: { ...seen, pid: process.pid } });
const methods = {
  'Plugin.Activate': () => ({ Implements: ['VolumeDriver'] }),
  'VolumeDriver.Capabilities': () => ({ Capabilities: { Scope: 'local' } }),
  'VolumeDriver.Create': ({ Name }) => void mkdirSync(at(Name), { recursive: true }),
  'VolumeDriver.Remove': ({ Name }) => {
    if (isMounted(Name)) busybox('umount', at(Name));
    rmdirSync(at(Name));
  },
  'VolumeDriver.Get': ({ Name }) => (existsSync(at(Name)) ? { Volume: shown(Name) } : { Err: 'no such volume' }),
  'VolumeDriver.List': () => ({ Volumes: readdirSync('/volumes').map(shown) }),
  'VolumeDriver.Path': ({ Name }) => ({ Mountpoint: at(Name) }),
  'VolumeDriver.Mount': ({ Name }) => {
    if (!isMounted(Name)) busybox('mount', '-t', 'tmpfs', '-o', 'size=' + process.env.SIZE, 'mem', at(Name));
    return { Mountpoint: at(Name) };
  },
  'VolumeDriver.Unmount': () => ({}),
};
rmSync(socket, { force: true });
console.log('mem begins with', process.env.SIZE);
createServer(async (request, response) => {
  let text = '';
  for await (const chunk of request) text += chunk;
  try {
    response.end(JSON.stringify(methods[request.url.slice(1)](text === '' ? {} : JSON.parse(text)) ?? {}));
  } catch (error) {
    response.writeHead(500).end(JSON.stringify({ Err: String(error.message) }));
  }
}).listen(socket);
`;

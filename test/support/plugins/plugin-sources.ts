import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Manifest } from '@gantry/sdk';
import { endOfArchive, entry } from '../images/tar-builder.ts';

export const goodManifest: Manifest = {
  manifestVersion: 1,
  name: 'acme.nfs',
  version: '1.4.0',
  provides: [{ contract: 'volume', versions: ['v1'], drivers: ['nfs'] }],
  entry: { node: 'main.js' },
  privileges: { mountTypes: ['nfs4'], network: 'host' },
};

/** Files by path, as they are to be; a value that is no text becomes JSON. */
export function writeFiles(folder: string, files: Readonly<Record<string, unknown>>): string {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return folder;
}

/** What `npm publish` would send. */
export function npmTarball(files: Readonly<Record<string, unknown>>, ...more: readonly Buffer[]): Buffer {
  const entries = Object.entries(files).map(([path, content]) =>
    entry(`package/${path}`, typeof content === 'string' ? content : JSON.stringify(content)),
  );
  return gzipSync(Buffer.concat([...entries, ...more, endOfArchive]));
}

export interface NpmRegistry extends AsyncDisposable {
  readonly url: string;
  /** Paths that were asked for. */
  readonly asked: string[];
}

/** A registry with a few packages on loopback: name@version and the tarball. */
export async function npmRegistry(
  packages: readonly { readonly packageJson: PackageJson; readonly tarball: Buffer }[],
): Promise<NpmRegistry> {
  const asked: string[] = [];
  const server: Server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '').slice(1);
    asked.push(path);
    const file = packages.find(({ packageJson }) => path === tarballPath(packageJson));
    if (file !== undefined) {
      response.end(file.tarball);
      return;
    }
    const versions = packages.filter(({ packageJson }) => packageJson.name === path);
    if (versions.length === 0) {
      response.writeHead(404).end('{"error":"Not found"}');
      return;
    }
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(packument(versions)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const packument = (versions: typeof packages): object => ({
    name: versions[0]?.packageJson.name,
    'dist-tags': { latest: versions.at(-1)?.packageJson.version },
    versions: Object.fromEntries(
      versions.map(({ packageJson, tarball }) => [
        packageJson.version,
        {
          ...packageJson,
          dist: {
            tarball: `${url}${tarballPath(packageJson)}`,
            integrity: `sha512-${createHash('sha512').update(tarball).digest('base64')}`,
          },
        },
      ]),
    ),
  });
  return {
    url,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface PackageJson extends Readonly<Record<string, unknown>> {
  readonly name: string;
  readonly version: string;
}

export function published(
  packageJson: PackageJson,
  files: Readonly<Record<string, unknown>> = {},
): { readonly packageJson: PackageJson; readonly tarball: Buffer } {
  return { packageJson, tarball: npmTarball({ 'package.json': packageJson, ...files }) };
}

function tarballPath({ name, version }: PackageJson): string {
  return `${name}/-/${name.replace(/^.*\//, '')}-${version}.tgz`;
}

/** The config of a well-known Docker plugin. */
export const sshfsConfig = {
  Description: 'sshFS plugin for Docker',
  Documentation: 'https://docs.docker.com/engine/extend/plugins/',
  Entrypoint: ['/docker-volume-sshfs'],
  WorkDir: '',
  Interface: { Types: ['docker.volumedriver/1.0'], Socket: 'sshfs.sock' },
  Network: { Type: 'host' },
  Linux: {
    Capabilities: ['CAP_SYS_ADMIN'],
    AllowAllDevices: false,
    Devices: [{ Name: '', Description: '', Settable: null, Path: '/dev/fuse' }],
  },
  PropagatedMount: '/mnt/volumes',
  IpcHost: false,
  PidHost: false,
  Mounts: [
    {
      Name: '',
      Description: '',
      Settable: null,
      Source: '/var/lib/docker/plugins/',
      Destination: '/mnt/state',
      Type: 'bind',
      Options: ['rbind'],
    },
    { Name: 'sshkey', Description: '', Settable: ['source'], Source: '', Destination: '/root/.ssh', Type: 'bind', Options: ['rbind'] },
  ],
  Env: [{ Name: 'DEBUG', Description: '', Settable: ['value'], Value: '0' }],
  Args: { Name: 'args', Description: '', Settable: ['value'], Value: ['-v'] },
};

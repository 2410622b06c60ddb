import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

const modules = join(import.meta.dirname, '../../../node_modules');

export interface NpmRegistry extends AsyncDisposable {
  readonly url: string;
  /** Packages that were asked for, each once. */
  readonly asked: ReadonlySet<string>;
}

/**
 * An npm registry on loopback that has the packages of this checkout's node_modules in the versions that are there, packed when they are asked for: installing needs
 * no network, and what an installation fetches is seen. `folder` is scratch.
 */
export async function npmRegistry(folder: string): Promise<NpmRegistry> {
  mkdirSync(folder, { recursive: true });
  const asked = new Set<string>();
  const server = createServer((request, response): void => {
    const [name = '', file] = decodeURIComponent(request.url ?? '')
      .slice(1)
      .split('/-/');
    const found = /^(@[\w.-]+\/)?[\w.-]+$/.test(name) ? versionsOf(name) : new Map<string, string>();
    if (found.size === 0) return void response.writeHead(404).end('{}');
    asked.add(name);
    const place = file === undefined ? undefined : found.get(file.replace(/\.tgz$/, ''));
    if (place !== undefined) return void response.end(tarball(folder, place));
    const versions = Object.fromEntries(
      [...found].map(([version, from]) => {
        const integrity = `sha512-${createHash('sha512').update(tarball(folder, from)).digest('base64')}`;
        return [version, { ...manifestOf(from), dist: { tarball: `http://${request.headers.host}/${name}/-/${version}.tgz`, integrity } }];
      }),
    );
    response.setHeader('content-type', 'application/json');
    return void response.end(JSON.stringify({ name, 'dist-tags': { latest: [...found.keys()][0] }, versions }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Where each version is; others than the first are below who needs them. */
function versionsOf(name: string): ReadonlyMap<string, string> {
  const places = [name, ...globSync(`{*,@*/*}/node_modules/${name}`, { cwd: modules })].map((path) => join(modules, path));
  const there = places.filter((path) => existsSync(join(path, 'package.json')));
  return new Map(there.map((path) => [manifestOf(path).version, path]));
}

function manifestOf(place: string): { readonly version: string } {
  return JSON.parse(readFileSync(join(place, 'package.json'), 'utf8')) as { readonly version: string };
}

/** As it was installed, which is as it was published. */
function tarball(folder: string, place: string): Buffer {
  const path = join(folder, `${createHash('sha256').update(place).digest('hex')}.tgz`);
  if (!existsSync(path)) execFileSync('tar', ['-czf', path, '--exclude=./node_modules', '--transform=s,^\\.,package,', '-C', place, '.']);
  return readFileSync(path);
}

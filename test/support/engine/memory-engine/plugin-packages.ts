import { createHash } from 'node:crypto';
import { accessSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkManifest, fromErrno, invalidArgument, type Manifest, notFound } from '@gantry/sdk';
import type { PluginOffer } from '@gantry/sdk/engine';
import { privilegesOf } from '../../../../core/plugin-manifest/index.ts';

/** What a source holds: an offer, and config.json when it is Docker's. */
export type Package = PluginOffer & { readonly dockerConfig?: unknown };

/** A registry in a map, and folders of this machine. */
export class Packages {
  readonly #pushed = new Map<string, Package>();

  constructor() {
    for (const version of ['1.4', '1.5', '1.6-broken']) {
      this.add(`reg:5000/acme/nfs:${version}`, nfsManifest(version.replace(/^(\d+\.\d+)/, '$1.0')));
    }
    this.add('reg:5000/acme/nfs:2.0', { ...nfsManifest('2.0.0'), privileges: { mountTypes: ['nfs4', 'nfs'] } });
    this.add('acme/quiet:latest', { ...nfsManifest('1.0.0'), name: 'acme.quiet', privileges: {} });
    this.add('acme/vieux:latest', { ...nfsManifest('1.0.0'), name: 'acme.vieux' }, dockerConfig);
  }

  add(reference: string, manifest: Manifest, config?: unknown): void {
    this.#pushed.set(reference, packageOf(`oci:${reference}`, manifest, config));
  }

  get(source: string): Package {
    if (source.startsWith('folder:') || source.startsWith('/')) return fromFolder(source.replace(/^folder:/, ''));
    const reference = source.replace(/^oci:/, '');
    const found = this.#pushed.get(reference) ?? this.#pushed.get(`${reference}:latest`);
    if (found === undefined) throw notFound(`manifest for ${reference} not found`);
    return found;
  }
}

export function packageOf(source: string, manifest: Manifest, config?: unknown): Package {
  const digest = `sha256:${createHash('sha256').update(JSON.stringify(manifest)).digest('hex')}`;
  const named = source.startsWith('oci:') ? `${source}@${digest}` : source;
  return { source: named, digest, manifest, privileges: privilegesOf(manifest), ...(config === undefined ? {} : { dockerConfig: config }) };
}

function fromFolder(folder: string): Package {
  let given: unknown;
  try {
    given = JSON.parse(readFileSync(join(folder, 'gantry-plugin.json'), 'utf8'));
  } catch (error) {
    throw error instanceof SyntaxError ? invalidArgument(`${folder}/gantry-plugin.json: ${error.message}`) : fromErrno(error, folder);
  }
  const manifest = checkManifest(given);
  try {
    accessSync(join(folder, manifest.entry.node ?? manifest.entry.exec?.[0] ?? ''));
  } catch (error) {
    throw fromErrno(error, `plugin ${manifest.name}: its entry cannot be read`);
  }
  return packageOf(`folder:${folder}`, manifest);
}

function nfsManifest(version: string): Manifest {
  return {
    manifestVersion: 1,
    name: 'acme.nfs',
    version,
    description: 'NFS for volumes',
    provides: [{ contract: 'volume', versions: ['v1'], drivers: ['nfs'], features: ['usage'] }],
    entry: { exec: ['/driver'] },
    settings: {
      type: 'object',
      properties: {
        SERVER: { type: 'string', default: 'localhost' },
        RETRIES: { type: 'integer' },
        TOKEN: { type: 'string', 'x-secret': true },
      },
    },
    privileges: { network: 'host', mountTypes: ['nfs4'] },
  };
}

const dockerConfig = {
  Description: 'as it came',
  Documentation: 'https://docs.example',
  Interface: { Types: ['docker.volumedriver/1.0'], Socket: 'vieux.sock' },
  Entrypoint: ['/vieux'],
  WorkDir: '/',
  Network: { Type: 'host' },
  Linux: { Capabilities: ['CAP_SYS_ADMIN'], AllowAllDevices: false, Devices: null },
  PropagatedMount: '/mnt/volumes',
  Mounts: [
    { Name: 'state', Description: '', Source: '/tmp', Destination: '/state', Type: 'bind', Options: ['rbind'], Settable: ['source'] },
  ],
  Env: [{ Name: 'SERVER', Description: 'which', Settable: ['value'], Value: 'localhost' }],
  Args: { Name: '', Description: '', Settable: null, Value: null },
  rootfs: { type: 'layers', diff_ids: ['sha256:00'] },
};

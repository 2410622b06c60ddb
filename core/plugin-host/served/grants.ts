import { join } from 'node:path';
import type { DriverKind } from '@gantry/sdk';
import type { Grants } from '../../drivers/index.ts';
import type { Plugin } from '../life/plugin.ts';
import { userOf } from '../record.ts';
import { secretOptions } from '../settings.ts';
import { resourcesOf } from '../placements/sizes.ts';

/** What a plugin's answers may describe: what its manifest asked for, and users agreed to. */
export function grantsOf(plugin: Plugin, kind: DriverKind, dataDir: string): Grants {
  const { record } = plugin;
  const {
    mountTypes = [],
    hostPaths = [],
    devices = [],
    nftables = false,
    runtimes = [],
    cni = [],
    capabilities = [],
    network = 'none',
  } = record.manifest.privileges ?? {};
  // Its answers name a folder of its own by the machine's path.
  const own = record.placement === 'container' ? [join(dataDir, 'propagated-mount')] : [];
  return {
    plugin: plugin.name,
    dataDir,
    mountTypes,
    secretOptions: secretOptions(record.manifest, kind),
    hostPaths: [...hostPaths, ...own],
    devices,
    nftables,
    hostLinks: network === 'host',
    runtimes,
    cni,
    helpers: { codeDir: record.dir, uid: userOf(record, record), capabilities, network, resources: resourcesOf(record.manifest) },
    onViolation: (what) => plugin.strike(what),
  };
}

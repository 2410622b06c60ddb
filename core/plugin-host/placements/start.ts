import { join } from 'node:path';
import type { HostContext } from '@gantry/sdk';
import { shortId } from '../../support/index.ts';
import type { HandedSockets } from './handed-sockets.ts';
import { hostContext } from './host-context.ts';
import { startInProcess } from './in-process.ts';
import type { Link } from './link.ts';
import type { HostOptions } from '../options.ts';
import type { Plugin } from '../life/plugin.ts';
import { defaultPolicy } from '../life/policy.ts';
import { type PluginRecord, userOf, type Version } from '../record.ts';

/** Starts one version of a plugin where its record says. What only other processes need is loaded only then. */
export async function startLink(
  { options, sockets }: { readonly options: HostOptions; readonly sockets: HandedSockets },
  plugin: Plugin,
  version: Version,
  number: number,
  signal: AbortSignal,
): Promise<Link> {
  const { record } = plugin;
  const folders = foldersOf(options, record);
  const instance = `${shortId(record.id)}.${number}`;
  const log = options.log.child({ plugin: record.name });
  const host = (config: HostContext['config'], secrets: HostContext['secrets'], stopping: AbortSignal): HostContext =>
    hostContext(options, {
      name: record.name,
      manifest: version.manifest,
      config,
      secrets,
      ...folders,
      signal: stopping,
      onReport: plugin.onReport,
    });
  if (record.placement === 'in-process') return sockets.over(await startInProcess(version, host), version.manifest);
  // What it asks the engine, it asks as long as it lives; its link ends it.
  const served = {
    version,
    instance,
    engineVersion: options.version,
    log,
    output: plugin.output,
    signal,
    host: host({}, {}, unending),
  };
  if (record.placement === 'external') {
    const { startExternal } = await import('./external.ts');
    return startExternal({ ...served, manifest: version.manifest, address: record.address ?? '', token: record.token ?? '' });
  }
  if (record.placement === 'worker') return (await import('./worker.ts')).startWorker(served);
  const { keepaliveMs } = { ...defaultPolicy, ...options.pluginPolicy };
  const process = { ...served, uid: userOf(record, version), cgroupParent: options.cgroupParent ?? 'gantry-plugins', keepaliveMs };
  if (record.placement === 'container') return (await import('./managed.ts')).startManaged({ ...process, sockets });
  return (await import('./process.ts')).startProcess(process);
}

/** Installed ones by their id: a name may hold what a path must not. */
export function foldersOf({ dataRoot, execRoot }: Pick<HostOptions, 'dataRoot' | 'execRoot'>, { id, name, isInstalled }: PluginRecord) {
  return { dataDir: join(dataRoot, 'plugins', isInstalled ? shortId(id) : name), runDir: join(execRoot, 'p', shortId(id)) };
}

const unending = new AbortController().signal;

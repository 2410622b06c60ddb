import type { PluginInfo } from '@gantry/sdk/engine';
import { readDockerConfig } from '../../plugin-manifest/index.ts';
import type { Generation } from './generation.ts';
import type { Output } from '../placements/output.ts';
import type { PluginRecord } from '../record.ts';
import type { Status } from './status.ts';

export interface Running {
  readonly record: PluginRecord;
  readonly status: Status;
  readonly output: Output;
  readonly generation: Generation | undefined;
  /** Of the last generation; 0 before the first. */
  readonly number: number;
  readonly restarts: number;
}

/** What users see of one plugin: of secrets their names alone. */
export function infoOf({ record, status, output, generation, number, restarts }: Running): Omit<PluginInfo, 'shadowed' | 'privileges'> {
  const { version, description = '', provides } = record.manifest;
  const { problem: error, failure } = status;
  return {
    id: record.id,
    name: record.name,
    version,
    description,
    source: record.source,
    builtIn: record.builtIn,
    placement: record.placement,
    ...(record.placementReason === undefined ? {} : { placementReason: record.placementReason }),
    enabled: record.enabled,
    state: status.state,
    ...(error === undefined ? {} : { error }),
    ...(failure?.hint === undefined ? {} : { hint: failure.hint }),
    provides: provides.map(({ contract, drivers, features = [] }) => ({ contract, drivers, features })),
    settings: record.settings,
    secrets: Object.keys(record.secrets),
    ...(number === 0 ? {} : { generation: generation?.number ?? number }),
    ...(generation?.link.pid === undefined ? {} : { pid: generation.link.pid }),
    ...(generation === undefined ? {} : { startedInMs: generation.startedInMs, startedAt: generation.startedAt }),
    restarts,
    ...(record.previous === undefined ? {} : { previousVersion: record.previous.manifest.version }),
    ...(record.collectsOrphans === true ? { collectsOrphans: true } : {}),
    output: output.tail(20),
    ...(record.dockerConfig === undefined ? {} : { dockerConfig: readDockerConfig(record.dockerConfig) }),
  };
}

/** Of a folder that cannot be read as a plugin. */
export function rejectedInfo({ dir, reason }: { readonly dir: string; readonly reason: string }): PluginInfo {
  const nothing = { provides: [], shadowed: [], settings: {}, secrets: [], privileges: [], output: [], restarts: 0 };
  return {
    id: '',
    name: dir,
    version: '',
    description: '',
    source: `folder:${dir}`,
    builtIn: false,
    placement: 'process',
    enabled: false,
    state: 'failed',
    error: reason,
    ...nothing,
  };
}

import type { Streams } from '@gantry/sdk/exec';
import type { ContainerConfig, EndpointConfig, Health, HostConfig, PublishedPorts } from '@gantry/sdk/engine';
import type { IdMaps } from '@gantry/sdk/linux';
import type { WantedMount } from './validate/index.ts';

/** A wanted mount with the volume that was found or made for it. */
export interface PlannedMount extends WantedMount {
  readonly volume?: { readonly name: string; readonly driver: string; readonly anonymous: boolean; readonly keepsRoot?: boolean };
  /** Where the bind or volume comes from on the host, as inspect shows it. */
  readonly shownSource: string;
}

/** Who has a container's process. */
export interface ExecChoice {
  readonly driver: string;
  /** The driver that is asked at each start how it is to be run, by the name under which the user chose it as runtime. */
  readonly describedBy?: string;
}

/** What a user decided about a container; changes by rename, update, connect and disconnect only. */
export interface ContainerDocument {
  readonly created: string;
  readonly path: string;
  readonly args: readonly string[];
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly networks: Readonly<Record<string, EndpointConfig>>;
  readonly imageId: string;
  readonly platform: string;
  readonly mounts: readonly PlannedMount[];
  /** Absent in containers from before there was a choice. */
  readonly exec?: ExecChoice;
  readonly log: { readonly driver: string; readonly options: Readonly<Record<string, string>>; readonly path: string };
}

/** One run of the container's process: what an engine that was started again needs to find it. */
export interface Run {
  readonly pid: number;
  readonly pidStartTime: number;
  readonly monitorPid: number;
  readonly streams: Streams;
  readonly rootfs: string;
  readonly sandboxKey: string;
  readonly ports: PublishedPorts;
  /** Of its user namespace; absent: it has the machine's. */
  readonly idMaps?: IdMaps;
}

/** What a container is doing. The driver's calls between two phases are the intents of `starting`. */
export type Phase =
  | { readonly kind: 'created' }
  /** The runtime may have been asked to make it: looked up after a crash. */
  | { readonly kind: 'starting'; readonly from: 'created' | 'exited' | 'restarting' }
  | { readonly kind: 'running'; readonly run: Run; readonly paused: boolean }
  /** Ended; the restart policy starts it again. */
  | { readonly kind: 'restarting' }
  | { readonly kind: 'exited' }
  | { readonly kind: 'removing' }
  | { readonly kind: 'dead' };

export interface StateDocument {
  readonly phase: Phase;
  /** RFC 3339 with nanoseconds; "" when never. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly exitCode: number;
  readonly error: string;
  readonly oomKilled: boolean;
  readonly restartCount: number;
  /** Stopped or killed by a user since it was last started by one. */
  readonly stoppedByUser: boolean;
  readonly health?: Health;
  /** It stands still, or is about to, only until a commit has read it. */
  readonly isPausedForCommit?: boolean;
}

export const initialState: StateDocument = {
  phase: { kind: 'created' },
  startedAt: '',
  finishedAt: '',
  exitCode: 0,
  error: '',
  oomKilled: false,
  restartCount: 0,
  stoppedByUser: false,
};

/** Now, as Docker writes it, later than at each call before; or a date. */
export function timestamp(date?: Date): string {
  const { ms, nanos } = date === undefined ? nextInstant() : { ms: date.getTime(), nanos: subMillisecond() };
  return new Date(ms).toISOString().replace('Z', `${String(nanos).padStart(6, '0')}Z`);
}

interface Instant {
  readonly ms: number;
  /** Below a million. */
  readonly nanos: number;
}
let latest: Instant = { ms: 0, nanos: 0 };

/** The milliseconds of the two clocks do not begin together: within one, what would be earlier comes right after what was before it. */
function nextInstant(): Instant {
  const [ms, nanos] = [Date.now(), subMillisecond()];
  // A clock that was set back is believed.
  const goesOn = ms > latest.ms || (ms === latest.ms && nanos > latest.nanos) || ms < latest.ms - 1;
  latest = goesOn ? { ms, nanos } : latest.nanos < 999_999 ? { ...latest, nanos: latest.nanos + 1 } : { ms: latest.ms + 1, nanos: 0 };
  return latest;
}

/** The clock knows milliseconds only; six more digits keep the order of what happens within one. */
function subMillisecond(): number {
  return Math.floor((performance.now() % 1) * 1e6);
}

import type { Check, Problem, Ref, RefState } from '@gantry/sdk';
import type { PluginInfo } from '@gantry/sdk/engine';
import type { Version } from '../record.ts';

/** How a generation ended. `reason` is one line for people. */
export interface Ending {
  readonly reason: string;
  readonly isOom?: boolean;
}
export interface OfferedDriver {
  readonly contract: string;
  readonly name: string;
  readonly driver: object;
}
export interface Configured {
  readonly problems: readonly Problem[];
  readonly drivers: readonly OfferedDriver[];
  readonly needsRestart: boolean;
}
/** A running plugin, wherever it runs: the one thing that placements make and a generation uses. */
export interface Link {
  readonly pid?: number | undefined;
  /** Never rejects. */
  readonly ended: Promise<Ending>;
  configure(settings: Readonly<Record<string, unknown>>, secrets: Readonly<Record<string, string>>): Promise<Configured>;
  find(contract: string, name: string): Promise<object | undefined>;
  names(contract: string): Promise<readonly string[]>;
  reconcile(refs: AsyncIterable<Ref>, signal: AbortSignal): AsyncIterable<RefState>;
  selfTest(deep: boolean, signal: AbortSignal): Promise<readonly Check[]>;
  ping(signal: AbortSignal): Promise<void>;
  /** Lets calls under way end, then ends it: gently first, then by force. Resolves when nothing of it is left. */
  stop(): Promise<void>;
  /** At once. */
  kill(reason: string): Promise<void>;
  usage?(): { readonly memoryBytes: number; readonly pids: number } | undefined;
}

export interface Starting {
  readonly version: Version;
  readonly name: string;
  readonly id: string;
  readonly number: number;
  readonly uid: number;
  readonly placement: PluginInfo['placement'];
  readonly address?: string | undefined;
  readonly token?: string | undefined;
  readonly signal: AbortSignal;
}

import { notImplemented } from '@gantry/sdk';
import type { DaemonOptions } from './cli/daemon/index.ts';

/** An engine that serves its API. Disposing stops both, orderly. */
export interface Running extends AsyncDisposable {
  readonly addresses: readonly string[];
  /** Resolves when the engine ends by itself: it has been idle for `idleExitSeconds`. */
  readonly ended: Promise<void>;
}

/** Starts the engine and its front ends; resolves when every host accepts connections. */
export async function serve(options: DaemonOptions): Promise<Running> {
  throw notImplemented(`no engine is wired yet for ${options.dataRoot}`);
}

import type { Engine } from '@gantry/sdk/engine';
import type { ServeRequest, Serving } from '@gantry/sdk/frontend';
import type { EngineOptions } from './options.ts';

/** An engine in this process. */
export interface LocalEngine extends Engine {
  /** Serves the engine by every installed front end; at least one address must be understood. */
  serve(request: Pick<ServeRequest, 'hosts' | 'socketGroup' | 'tls'>): Promise<Serving>;
  /** Takes these settings from now on, and says so to who listens to events. */
  reload(settings: Pick<EngineOptions, 'labels' | 'debug'>): void;
  /** Resolves when what an earlier engine left has been taken over: running containers, their logs and networks. */
  readonly recovered: Promise<void>;
}

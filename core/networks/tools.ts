import type { Logger } from '@gantry/sdk';
import type { Drivers } from '../drivers/types.ts';
import type { EventBus } from '../events/index.ts';
import type { NetworkExecutor } from '../execute/index.ts';
import type { NetworkBooks } from './books.ts';
import type { NetworkDefaults } from './defaults.ts';
import type { NetworkUsers } from './types.ts';

/** What the steps of this room share. */
export interface Tools {
  readonly books: NetworkBooks;
  readonly drivers: Drivers;
  readonly executor: NetworkExecutor;
  readonly events: EventBus;
  readonly log: Logger;
  readonly defaults: NetworkDefaults;
  /** Below it, `netns/` has one pinned network namespace per running container. */
  readonly execRoot: string;
  readonly users: () => NetworkUsers;
  /** By the name of a CNI network, which is what its plugins know it by: they are being told which endpoints there are, and until it resolves none may come. */
  readonly collecting: Map<string, Promise<void>>;
  /** RFC 3339 with nanoseconds. */
  readonly now: () => string;
}

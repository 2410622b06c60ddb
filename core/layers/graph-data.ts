import { type Logger, messageOf } from '@gantry/sdk';
import { attachmentOf } from './container-roots.ts';
import { overlayFolders } from './overlay-folders.ts';
import type { Snapshot, Views } from './views.ts';

type Data = Readonly<Record<string, string>>;

interface Described {
  readonly snapshot: Snapshot;
  readonly target: string;
  /** Whether the container is there still. */
  readonly isThere: () => boolean;
}

/** Docker's names for an overlay's folders, from what the driver describes: asked for once, and told from then on. */
export class GraphData {
  readonly #views: Views;
  readonly #log: Logger;
  readonly #known = new Map<string, Data>();

  constructor({ views, log }: { readonly views: Views; readonly log: Logger }) {
    this.#views = views;
    this.#log = log;
  }

  /** Nothing until the driver has answered, which nobody waits for. */
  of(containerId: string, described: () => Described): Data {
    const known = this.#known.get(containerId);
    if (known === undefined) void this.#ask(containerId, described);
    return known ?? {};
  }

  forget(containerId: string): void {
    this.#known.delete(containerId);
  }

  async #ask(containerId: string, described: () => Described): Promise<void> {
    try {
      const { snapshot, target, isThere } = described();
      const attachment = await this.#views.attach(snapshot, {
        attachmentId: attachmentOf(containerId),
        readOnly: false,
        view: 'merged',
      });
      if (isThere()) this.#known.set(containerId, overlayFolders(attachment.mounts, this.#views.dataDir(snapshot.driver), target));
    } catch (error) {
      this.#log.debug({ container: containerId, error: messageOf(error) }, 'graph driver does not describe the layer');
    }
  }
}

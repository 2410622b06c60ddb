import { notFound, notImplemented } from '@gantry/sdk';
import type { BuildHistory, Builds } from '@gantry/sdk/engine';

/** Has no builder: what asks for one hears of it. */
export class MemoryBuilds implements Builds {
  async build(): Promise<never> {
    throw notImplemented('building images needs a builder plugin, and none is installed');
  }
  async prune(): ReturnType<Builds['prune']> {
    return { deleted: [], spaceReclaimed: 0 };
  }
  readonly history: BuildHistory = {
    list: () => [],
    inspect: (id) => {
      throw notFound(`no such build: ${id}`);
    },
    async *events() {
      // There are no builds.
    },
    keep: (id) => void this.history.inspect(id),
    remove: (id) => void this.history.inspect(id),
    listen: () => () => undefined,
  };
  async cache(): Promise<readonly never[]> {
    return [];
  }
  files(): Promise<never> {
    return this.build();
  }
  openArchive(): Promise<never> {
    return this.build();
  }
  openFiles(): Promise<never> {
    return this.build();
  }
  loadLayout(): Promise<never> {
    return this.build();
  }
  openImage(): Promise<never> {
    return this.build();
  }
  compose(): Promise<never> {
    return this.build();
  }
  cached(): undefined {
    return undefined;
  }
}

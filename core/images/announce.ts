import type { Parts } from './types.ts';

/** An image event as Docker sends it: the image's labels, and a name, which is the id when there is no better one. */
export function announce({ events, store }: Pick<Parts, 'events' | 'store'>, action: string, id: string, name = id): void {
  events.publish('image', action, id, { ...store.configOrEmpty(id).config?.Labels, name });
}

import type { Builds, BuildEvent, BuildImage, BuildOptions } from '@gantry/sdk/engine';
import { BuildLines } from '../../../plugins/frontend/docker/streams/build-lines.ts';
import { endOfArchive, entry, type HeaderFields } from './tar-builder.ts';

export const noOptions: BuildOptions = {
  dockerfile: '',
  tags: [],
  buildArgs: {},
  labels: {},
  noCache: false,
  pull: false,
  remove: true,
  forceRemove: false,
  target: '',
  platform: '',
  cacheFrom: [],
  hostConfig: { NetworkMode: 'none' },
  registryAuth: {},
};

/** A context of these files, whose text may come with its header. */
export function contextTar(files: Readonly<Record<string, string | Buffer | readonly [content: string, fields: HeaderFields]>>): Buffer {
  const entries = Object.entries(files).map(([name, content]) =>
    typeof content === 'string' || Buffer.isBuffer(content) ? entry(name, content) : entry(name, content[0], content[1]),
  );
  return Buffer.concat([...entries, endOfArchive]);
}

export interface Built {
  readonly id: string;
  readonly events: readonly BuildEvent[];
  /** What the docker CLI would show, without what changes from run to run. */
  readonly text: string;
}

/** Builds a context; the failure of one carries what was told so far. */
export async function buildImage(
  { builds }: { readonly builds: Builds },
  context: Buffer | Readonly<Record<string, string>>,
  options: Partial<BuildImage> = {},
): Promise<Built> {
  const events: BuildEvent[] = [];
  let text = '';
  const lines = new BuildLines(({ stream = '', aux }) => (text += aux === undefined ? stream : ''));
  const tar = Buffer.isBuffer(context) ? context : contextTar(context);
  const { id } = await builds.build({
    ...noOptions,
    ...options,
    context: options.context ?? { kind: 'tar', tar: chunksOf(tar) },
    onEvent: (event) => {
      events.push(event);
      lines.take(event);
      options.onEvent?.(event);
    },
  });
  lines.finish(id);
  return { id, events, text: text.replaceAll(/[0-9a-f]{12}/g, 'ID') };
}

async function* chunksOf(bytes: Buffer): AsyncIterable<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

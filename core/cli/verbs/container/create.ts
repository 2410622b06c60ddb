import { writeFileSync } from 'node:fs';
import { GantryError, conflict, fromErrno } from '@gantry/sdk/errors';
import type { Client } from '@gantry/sdk/client';
import { type ContainerFlags, attachmentOf, containerOptions, mountNotes, toCreateBody } from '../../container-options/index.ts';
import type { Context } from '../../context.ts';
import { verb } from '../../verb.ts';
import { pullImage } from '../image/pull.ts';

export const create = verb<ContainerFlags>({
  arguments: '<image> [command...]',
  passThrough: true,
  options: containerOptions(),
  notes: mountNotes,
  async action(context, [image = '', ...command], flags) {
    const client = await context.client();
    const attached = attachmentOf(flags, { detach: false });
    context.print(await createFrom(context, client, { flags, image, command, attached }));
  },
});

interface Creation {
  readonly flags: ContainerFlags;
  readonly image: string;
  readonly command: readonly string[];
  readonly attached: ReturnType<typeof attachmentOf>;
}

/** Creates the container, fetching the image as --pull says, and resolves with its id. Warnings go to stderr. */
export async function createFrom(context: Context, client: Client, { flags, image, command, attached }: Creation): Promise<string> {
  const body = toCreateBody(flags, image, command, attached);
  const { name, platform, pull, quiet = false } = flags;
  if (pull === 'always') await pullImage(context, client, image, { platform, quiet });
  const post = async (): Promise<string> => {
    const { Id, Warnings } = await client.containers.create(body, { name, platform });
    for (const warning of Warnings ?? []) context.note(`WARNING: ${warning}`);
    if (flags.cidfile !== undefined) writeId(flags.cidfile, Id);
    return Id;
  };
  try {
    return await post();
  } catch (error) {
    if (pull !== 'missing' || !isMissingImage(error)) throw error;
    context.note(`Unable to find image '${withTag(image)}' locally`);
    await pullImage(context, client, image, { platform, quiet });
    return await post();
  }
}

/** Also when it is here for another platform. A network or volume can be missing as well. */
function isMissingImage(error: unknown): boolean {
  return (
    GantryError.is(error) && error.code === 'not_found' && /no such image|do(es)? not match the specified platform/i.test(error.message)
  );
}

function withTag(image: string): string {
  return /[:@][^/]*$/.test(image) ? image : `${image}:latest`;
}

function writeId(path: string, id: string): void {
  try {
    writeFileSync(path, id, { flag: 'wx' });
  } catch (error) {
    const isTaken = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    throw isTaken
      ? conflict(`the file for the id is there already: ${path}`, { hint: 'remove it, or another container is using it' })
      : fromErrno(error, 'cannot write the id');
  }
}

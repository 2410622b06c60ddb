import { invalidArgument, messageOf, notFound } from '@gantry/sdk';
import { object, readShape, text } from './shape.ts';
import type { Call } from './call.ts';

const platform = object('Platform', { architecture: text, os: text, variant: text, 'os.version': text });

/**
 * Refuses images that are for another platform than the query asks for, in the words that Docker has for it. `since`: the version of the API from
 * which on the request may name one.
 */
export function requirePlatform(call: Call, names: readonly string[], since: number): void {
  const asked = call.version < since ? '' : call.query.text('platform');
  if (asked === '') return;
  const wanted = platformOf(asked);
  for (const name of names) {
    const { os, architecture, variant = '' } = call.engine.images.inspect(name).config;
    const fits =
      os === wanted.os && architecture === wanted.architecture && (variant === '' || wanted.variant === '' || variant === wanted.variant);
    if (fits) continue;
    throw notFound(
      `image with reference ${name} was found but its platform (${shown({ os, architecture, variant })}) does not match the specified platform (${shown(wanted)})`,
    );
  }
}

/** The platform that the query asks for, as "linux/arm64/v8"; undefined: none. */
export function platformIn(call: Call, since: number): string | undefined {
  const asked = call.version < since ? '' : call.query.text('platform');
  return asked === '' ? undefined : shown(platformOf(asked));
}

function platformOf(asked: string) {
  let read: unknown;
  try {
    read = JSON.parse(asked);
  } catch (error) {
    throw invalidArgument(`failed to parse platform: ${messageOf(error)}`, { hint: 'write {"os":"linux","architecture":"amd64"}' });
  }
  const { os = '', architecture = '', variant = '' } = readShape(platform, read);
  if (os === '' || architecture === '') throw invalidArgument('both OS and Architecture must be provided');
  return { os, architecture, variant };
}

const shown = ({ os, architecture, variant }: ReturnType<typeof platformOf>): string =>
  [os, architecture, ...(variant === '' ? [] : [variant])].join('/');

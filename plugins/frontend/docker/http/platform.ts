import { invalidArgument, messageOf } from '@gantry/sdk';
import { object, readShape, text } from './shape.ts';
import type { Call } from './call.ts';

const platform = object('Platform', { architecture: text, os: text, variant: text, 'os.version': text });

/** The platforms that the query asks for, one parameter for each. */
export function platformsIn(call: Call, since: number): readonly string[] {
  return call.version < since ? [] : call.query.all('platforms').map((asked) => shown(platformOf(asked)));
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

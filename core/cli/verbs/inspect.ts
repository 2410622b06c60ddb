import { GantryError, invalidArgument, notFound } from '@gantry/sdk/errors';
import type { Client } from '@gantry/sdk/client';
import { usageReason } from '../command.ts';
import type { Context } from '../context.ts';
import { type Format, parseFormat } from '../format/format-option.ts';
import { flag, oneOf, value } from '../option.ts';
import { report } from '../report.ts';
import { type Verb, verb } from '../verb.ts';
import { naming } from './plugin/naming.ts';

type Kind = (typeof kinds)[number] | 'build';
interface InspectFlags {
  readonly type?: Kind;
  readonly size?: boolean;
  readonly format?: Format;
}

/** In this order a name is looked up when no kind is given. */
const kinds = ['container', 'image', 'volume', 'network', 'plugin'] as const;

export const inspect: Verb = declare(undefined);
export const inspectContainer: Verb = declare('container');
export const inspectImage: Verb = declare('image');
export const inspectVolume: Verb = declare('volume');
export const inspectNetwork: Verb = declare('network');
export const inspectBuild: Verb = declare('build');
export const inspectPlugin: Verb = declare(
  'plugin',
  `Its state, why it is in it and what to do, who uses it, what it may do, and the end of what it printed.

  gantry plugin inspect acme.nfs
  gantry plugin inspect acme.nfs --format json | jq '.[0] | {state, error, hint, users}'
  gantry plugin logs acme.nfs             # all that it printed`,
);

function declare(kind: Kind | undefined, notes?: string): Verb {
  return verb<InspectFlags>({
    arguments: kind === 'plugin' ? '<plugin...>' : '<name...>',
    ...(notes === undefined ? {} : { notes }),
    options: [
      ...(kind === undefined ? [value('--type <kind>', `Only this kind: ${kinds.join(', ')}`, oneOf(...kinds))] : []),
      ...(kind === undefined || kind === 'container' ? [flag('-s, --size', 'With the sizes of containers')] : []),
      value('-f, --format <json>', 'JSON on one line', parseFormat),
    ],
    async action(context, names, { type = kind, size = false, format }) {
      if (names.includes('')) throw invalidArgument('a name may not be empty', { reason: usageReason });
      return await show(context, names, { kinds: type === undefined ? kinds : [type], size, indent: format === 'json' ? undefined : 4 });
    },
  });
}

/** What is found is printed, also when other names are not. */
async function show(
  context: Context,
  names: readonly string[],
  { kinds: among, size, indent }: { readonly kinds: readonly Kind[]; readonly size: boolean; readonly indent: number | undefined },
): Promise<number> {
  const client = await context.client();
  const outcomes = await Promise.allSettled(names.map(async (name) => await find(client, name, { among, size })));
  const found = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  context.print(JSON.stringify(found, undefined, indent));
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [report(outcome.reason)] : []));
  return Math.max(0, ...failures);
}

async function find(
  client: Client,
  name: string,
  { among, size }: { readonly among: readonly Kind[]; readonly size: boolean },
): Promise<unknown> {
  for (const kind of among) {
    try {
      return await inspectors(client, size)[kind](name);
    } catch (error) {
      const isElsewhere = GantryError.is(error) && ['not_found', 'not_implemented'].includes(error.code) && among.length > 1;
      if (!isElsewhere) throw error;
    }
  }
  throw notFound(`no such object: ${name}`);
}

function inspectors(
  { containers, images, volumes, networks, plugins, builds }: Client,
  size: boolean,
): Readonly<Record<Kind, (name: string) => Promise<unknown>>> {
  return {
    container: async (name) => await containers.inspect(name, { size }),
    image: async (name) => await images.inspect(name),
    volume: async (name) => await volumes.inspect(name),
    network: async (name) => await networks.inspect(name),
    build: async (name) => await builds.inspect(name),
    plugin: async (name) => await naming(plugins, plugins.inspect(name)),
  };
}

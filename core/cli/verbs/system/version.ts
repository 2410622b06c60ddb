import { messageOf } from '@gantry/sdk/errors';
import type { VersionAnswer } from '@gantry/sdk/client';
import type { Context } from '../../context.ts';
import { type Format, formatOption } from '../../format/format-option.ts';
import { flag } from '../../option.ts';
import { report } from '../../report.ts';
import { verb } from '../../verb.ts';
import { ownVersion } from '../../own-version.ts';

const client = { Version: ownVersion(), Node: process.versions.node, Os: process.platform, Arch: process.arch };

export const version = verb<{ readonly format?: Format; readonly short?: boolean }>({
  arguments: '',
  options: [formatOption, flag('--short', "The client's version only")],
  async action(context, _given, { format, short = false }) {
    if (short) return context.print(`gantry version ${ownVersion()}`);
    const server = await ask(context);
    const failed = server instanceof Error ? server : undefined;
    if (format === 'json') context.print(JSON.stringify({ Client: client, Server: failed === undefined ? server : null }));
    else showText(context, server instanceof Error ? undefined : server);
    return failed === undefined ? 0 : report(failed);
  },
});

/** The client's half is worth showing also when there is no engine. */
async function ask(context: Context): Promise<VersionAnswer | Error> {
  try {
    return await (await context.client()).system.version();
  } catch (error) {
    return error instanceof Error ? error : new Error(messageOf(error));
  }
}

function showText({ print }: Context, server: VersionAnswer | undefined): void {
  print(`Client: Gantry\n Version:      ${client.Version}\n Node:         ${client.Node}\n OS/Arch:      ${client.Os}/${client.Arch}`);
  if (server === undefined) return;
  print(`\nServer: ${server.Platform?.Name ?? 'engine'}\n Version:      ${server.Version}`);
  print(` API version:  ${server.ApiVersion}${server.MinAPIVersion === undefined ? '' : ` (minimum version ${server.MinAPIVersion})`}`);
  print(` OS/Arch:      ${server.Os}/${server.Arch}`);
  if (server.KernelVersion !== undefined) print(` Kernel:       ${server.KernelVersion}`);
  for (const { Name, Version } of (server.Components ?? []).filter((component) => component.Name !== 'Engine'))
    print(` ${`${Name}:`.padEnd(13)} ${Version}`);
}

import type { Client } from '@gantry/sdk/client';
import { chooseHost, type HostChoice } from './host.ts';

/** What every command is given. */
export interface Context {
  /** As typed: "container ls". */
  readonly commandName: string;
  readonly host: HostChoice;
  /** The engine that is meant; starts one in the background when none was named and none runs. */
  client(): Promise<Client>;
  /** Writes a line to stdout. */
  readonly print: (line: string) => void;
  /** Writes a line to stderr. */
  readonly note: (line: string) => void;
}

export function makeContext(commandName: string, hostFlag: string | undefined): Context {
  const host = chooseHost(hostFlag, process.env);
  const context: Context = {
    commandName,
    host,
    client: async () => {
      const { connect } = await import('@gantry/sdk/client');
      if (host.isDefault) await (await import('./background.ts')).ensureEngine(context);
      return connect({ host: host.address });
    },
    print: (line) => void process.stdout.write(`${line}\n`),
    note: (line) => void process.stderr.write(`${line}\n`),
  };
  return context;
}

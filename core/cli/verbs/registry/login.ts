import { readFileSync } from 'node:fs';
import type { Client } from '@gantry/sdk/client';
import { codeOf, invalidArgument } from '@gantry/sdk/errors';
import type { RegistryAuth } from '@gantry/sdk/transport';
import { usageReason } from '../../command.ts';
import type { Context } from '../../context.ts';
import { configPath, hubServer, Logins, serverOf } from '../../credentials/index.ts';
import { ask, askHidden } from '../../format/prompt.ts';
import { flag, text, value } from '../../option.ts';
import { verb } from '../../verb.ts';

interface Flags {
  readonly password?: string;
  readonly passwordStdin?: boolean;
  readonly username?: string;
}

export const login = verb<Flags>({
  arguments: '[server]',
  options: [
    value('-u, --username <name>', 'Who to be there', text),
    value('-p, --password <password>', 'Seen by everybody in the list of processes: better --password-stdin', text),
    flag('--password-stdin', 'Take the password from stdin'),
  ],
  notes: `Asks the registry whether it takes the credentials, and keeps them where Docker's clients do: in ~/.docker/config.json (or $DOCKER_CONFIG), or with
the credential helper that it names ("credsStore", "credHelpers"). What docker login kept serves as well. Without SERVER it is Docker Hub.

  gantry login reg.example:5000
  pass show reg.example | gantry login -u me --password-stdin reg.example`,
  async action(context, [given = ''], flags) {
    const server = serverOf(given);
    const logins = new Logins(configPath(process.env));
    const client = await context.client();
    if (isAsking(flags) && (await isKnown(context, { client, logins, server }))) {
      context.print('Login Succeeded');
      return;
    }
    const auth = { ...(await credentials(context, flags, server)), serverAddress: server };
    await client.system.login(auth);
    if (logins.put(server, auth).isPlain) {
      context.note(
        `The password lies readable in ${configPath(process.env)}; a credential helper keeps it better: see "credsStore" in Docker's documentation.`,
      );
    }
    context.print('Login Succeeded');
  },
});

const isAsking = ({ password, passwordStdin = false, username }: Flags): boolean =>
  password === undefined && !passwordStdin && username === undefined;

/** Who logged in before need not type it again. */
async function isKnown(
  context: Context,
  { client, logins, server }: { readonly client: Client; readonly logins: Logins; readonly server: string },
): Promise<boolean> {
  const known = logins.get(server);
  if (known === undefined) return false;
  context.note('Authenticating with existing credentials...');
  try {
    await client.system.login(known);
    return true;
  } catch (error) {
    if (codeOf(error) !== 'unauthorized') throw error;
    context.note('They are not accepted any more.');
    return false;
  }
}

async function credentials(context: Context, { password, passwordStdin = false, username }: Flags, server: string): Promise<RegistryAuth> {
  if (password !== undefined && passwordStdin)
    throw invalidArgument('--password and --password-stdin say the same', { hint: 'give one of them', reason: usageReason });
  if ((passwordStdin || password !== undefined) && (username ?? '') === '')
    throw invalidArgument('a password without a user', { hint: 'add --username', reason: usageReason });
  if (passwordStdin) return complete(username, readFileSync(0, 'utf8').replace(/\r?\n$/, ''));
  if (password !== undefined) {
    context.note('Everybody on this machine sees --password in the list of processes; --password-stdin hides it.');
    return complete(username, password);
  }
  if (!process.stdin.isTTY)
    throw invalidArgument('there is no terminal to ask on', { hint: 'give --username and --password-stdin', reason: usageReason });
  const where = server === hubServer ? 'Docker Hub' : server;
  return complete(username ?? (await ask(`User at ${where}: `)), await askHidden('Password: '));
}

function complete(username = '', password = ''): RegistryAuth {
  if (username === '' || password === '')
    throw invalidArgument(`the ${username === '' ? 'user' : 'password'} is empty`, { reason: usageReason });
  return { username, password };
}

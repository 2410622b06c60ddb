import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { invalidArgument } from '@gantry/sdk';
import type { DockerfileRequest } from '../job.ts';
import { agentSocket } from '../steps/agent-socket.ts';

/** By this secret whoever builds says which host keys are right, as ssh's known_hosts has them; then there are no others. */
const knownHosts = 'GIT_SSH_KNOWN_HOSTS';

/**
 * The command by which git speaks ssh: with the agent that whoever builds forwards as "default", and with nothing of this machine's users.
 * A host that neither they nor this machine's /etc/ssh/ssh_known_hosts know is believed, as BuildKit does, for this build, with a warning.
 */
export async function openSsh(
  request: DockerfileRequest,
  { opened, signal }: { readonly opened: AsyncDisposableStack; readonly signal: AbortSignal },
): Promise<string> {
  const connect = await request.ssh?.('default', { signal });
  if (connect === undefined)
    throw invalidArgument('git repositories are fetched by ssh: no ssh agent is forwarded', {
      hint: 'forward one by docker buildx build --ssh default; or give the https address, and the secret GIT_AUTH_TOKEN where it is private',
    });
  const { path: agent } = opened.use(await agentSocket(request.runDir, connect, { mode: 0o600, uid: 0, gid: 0 }));
  const given = (await request.secret?.(knownHosts, { signal }))?.toString();
  const file = hostsFile(request, given ?? '', opened);
  if (given === undefined) opened.defer(() => tellBelieved(request, file));
  const options = { ...never, IdentityAgent: agent, UserKnownHostsFile: file, ...(given === undefined ? asBuildKit : onlyGiven) };
  return ['ssh', '-F', '/dev/null', ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`])]
    .map(quoted)
    .join(' ');
}

const asBuildKit = { StrictHostKeyChecking: 'accept-new', GlobalKnownHostsFile: '/etc/ssh/ssh_known_hosts' };
const onlyGiven = { StrictHostKeyChecking: 'yes', GlobalKnownHostsFile: '/dev/null' };

/** No keys, programs or connections of whoever the engine runs as; nothing is asked, and nothing that does not answer is waited for. */
const never = {
  BatchMode: 'yes',
  IdentityFile: 'none',
  PreferredAuthentications: 'publickey',
  ForwardAgent: 'no',
  ClearAllForwardings: 'yes',
  PermitLocalCommand: 'no',
  ProxyCommand: 'none',
  ControlPath: 'none',
  UpdateHostKeys: 'no',
  HashKnownHosts: 'no',
  CheckHostIP: 'no',
  ConnectTimeout: '30',
  ServerAliveInterval: '20',
  LogLevel: 'ERROR',
};

function hostsFile({ dataDir }: DockerfileRequest, text: string, opened: AsyncDisposableStack): string {
  const parent = join(dataDir, 'git');
  mkdirSync(parent, { recursive: true, mode: 0o700 });
  const folder = mkdtempSync(join(parent, 'ssh-'));
  opened.defer(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'known_hosts');
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

/** What ssh wrote down is what it believed. */
function tellBelieved({ onEvent }: DockerfileRequest, file: string): void {
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [host, type, key] = line.split(' ');
    if (host === undefined || type === undefined || key === undefined) continue;
    const print = createHash('sha256').update(Buffer.from(key, 'base64')).digest('base64').replace(/=+$/, '');
    const text = `[Warning] host key of ${host} was not known, and was believed: ${type} SHA256:${print}. The secret ${knownHosts} says which are right`;
    onEvent({ kind: 'warning', text });
  }
}

/** For the shell by which git starts it. */
function quoted(word: string): string {
  return /^[\w./=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

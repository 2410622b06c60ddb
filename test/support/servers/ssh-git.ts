import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import ssh2 from 'ssh2';

/** A key pair by ssh-keygen; answers the file of its private half. */
export function makeKey(folder: string, name: string): string {
  const file = join(folder, name);
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', file]);
  return file;
}

/** An ssh-agent on a socket, with this key. */
export async function startAgent(socket: string, keyFile: string): Promise<AsyncDisposable> {
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  const env = { ...process.env, SSH_AUTH_SOCK: socket };
  for (let tries = 0; spawnSync('ssh-add', ['-q', keyFile], { env }).status !== 0 && tries < 100; tries++) await setTimeout(50);
  return {
    [Symbol.asyncDispose]: async () => {
      agent.kill();
      await once(agent, 'exit');
    },
  };
}

/** Serves the repositories of a folder by ssh on loopback, to whoever has the key; nothing but `git-upload-pack` is run. */
export class SshGitServer implements AsyncDisposable {
  readonly #server: ssh2.Server;
  readonly port: number;

  private constructor(server: ssh2.Server) {
    this.#server = server;
    const address = server.address();
    this.port = typeof address === 'object' && address !== null ? address.port : 0;
  }

  static async start(folder: string, keys: { readonly host: string; readonly client: string }): Promise<SshGitServer> {
    const allowed = ssh2.utils.parseKey(readFileSync(`${keys.client}.pub`));
    if (allowed instanceof Error) throw allowed;
    const server = new ssh2.Server({ hostKeys: [readFileSync(keys.host)] }, (client) => {
      client.on('error', () => {}); // it may go away whenever it likes
      client.on('authentication', (asked) => {
        if (asked.method !== 'publickey' || !asked.key.data.equals(allowed.getPublicSSH())) return asked.reject(['publickey']);
        const isProven = asked.signature === undefined || asked.blob === undefined || allowed.verify(asked.blob, asked.signature);
        if (isProven) asked.accept();
        else asked.reject();
      });
      client.on('session', (accept) => accept().on('exec', (take, refuse, { command }) => serve(folder, command, { take, refuse })));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new SshGitServer(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

function serve(
  folder: string,
  command: string,
  { take, refuse }: { readonly take: () => ssh2.ServerChannel; readonly refuse: () => void },
): void {
  const [, path] = /^git-upload-pack '\/?([\w./-]+)'$/.exec(command) ?? [];
  if (path === undefined || path.includes('..')) return refuse();
  const channel = take();
  const child = spawn('git', ['-c', 'safe.directory=*', 'upload-pack', join(folder, path)], { stdio: ['pipe', 'pipe', 'ignore'] });
  child.stdin.on('error', () => {}); // it may answer before it has read everything
  channel.pipe(child.stdin);
  child.stdout.pipe(channel, { end: false });
  child.on('close', (code) => {
    channel.exit(code ?? 1);
    channel.end();
  });
}

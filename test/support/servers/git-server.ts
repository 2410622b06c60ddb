import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync, chmodSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A file by its text, an executable by its text and 0o755, a symlink by where it leads. */
export type GitFiles = Readonly<Record<string, string | { readonly executable: string } | { readonly link: string }>>;

/** Repositories served by `git http-backend` on loopback; with a token, only to whoever shows it. */
export class GitServer implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'git-server-'));
  readonly #server: Server;
  readonly url: string;

  private constructor(server: Server, url: string, folder: string) {
    this.#server = server;
    this.url = url;
    this.#folder = folder;
  }

  static async start({ token }: { readonly token?: string } = {}): Promise<GitServer> {
    const folder = mkdtempSync(join(tmpdir(), 'git-server-'));
    const wanted = token === undefined ? undefined : `basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`;
    const server = createServer((request, response) => {
      if (wanted === undefined || request.headers.authorization === wanted) return backend(folder, request, response);
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="git"' }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return new GitServer(server, `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`, folder);
  }

  /** Makes the repository `name`.git of one commit on main, and answers the folder of its working tree. */
  repository(name: string, files: GitFiles): string {
    const work = join(this.#folder, 'work', name);
    mkdirSync(work, { recursive: true });
    git(work, 'init', '--quiet', '--initial-branch=main');
    this.commit(work, files);
    git(this.#folder, 'clone', '--quiet', '--bare', work, `${name}.git`);
    git(work, 'remote', 'add', 'origin', join(this.#folder, `${name}.git`));
    return work;
  }

  /** Commits these files, and answers the commit's id. */
  commit(work: string, files: GitFiles): string {
    for (const [path, file] of Object.entries(files)) put(join(work, path), file);
    git(work, 'add', '--all');
    git(work, 'commit', '--quiet', '--allow-empty', '-m', 'a commit');
    return git(work, 'rev-parse', 'HEAD');
  }

  push(work: string, ...references: readonly string[]): void {
    git(work, 'push', '--quiet', '--force', 'origin', ...references);
  }

  get folder(): string {
    return this.#folder;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Runs git with an identity and without anybody's settings. */
export function git(folder: string, ...args: readonly string[]): string {
  return execFileSync('git', ['-c', 'user.name=n', '-c', 'user.email=e', '-c', 'protocol.file.allow=always', ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', HOME: '/nonexistent' },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

function put(path: string, file: GitFiles[string]): void {
  mkdirSync(dirname(path), { recursive: true });
  if (typeof file === 'string') writeFileSync(path, file);
  else if ('link' in file) symlinkSync(file.link, path);
  else {
    writeFileSync(path, file.executable);
    chmodSync(path, 0o755);
  }
}

/** One request by CGI, as RFC 3875 has it. */
function backend(folder: string, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://host');
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_CONFIG_COUNT: '2',
      GIT_CONFIG_KEY_0: 'safe.directory',
      GIT_CONFIG_VALUE_0: '*',
      GIT_CONFIG_KEY_1: 'uploadpack.allowFilter',
      GIT_CONFIG_VALUE_1: 'false',
      REQUEST_METHOD: request.method,
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: request.headers['content-type'],
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
      GIT_PROTOCOL: request.headers['git-protocol'] as string | undefined,
      REMOTE_ADDR: '127.0.0.1',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  request.pipe(child.stdin);
  child.stdin.on('error', () => {}); // it may answer before it has read everything
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.on('close', () => {
    const bytes = Buffer.concat(chunks);
    const end = bytes.indexOf('\r\n\r\n');
    const headers = new Map(
      bytes
        .subarray(0, Math.max(end, 0))
        .toString()
        .split('\r\n')
        .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()] as const),
    );
    const status = Number((headers.get('Status') ?? '200').slice(0, 3));
    headers.delete('Status');
    response.writeHead(end < 0 ? 500 : status, Object.fromEntries(headers)).end(bytes.subarray(end + 4));
  });
}

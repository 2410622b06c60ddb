import { mkdirSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { invalidArgument, messageOf } from '@gantry/sdk';
import type { BuildTree, TreeFile } from '@gantry/sdk/engine';
import type { DockerfileRequest } from '../job.ts';
import { type GitAddress, hostOf, isBySsh, shownRemote, submoduleRemote } from './address.ts';
import { fetchCommit } from './fetch.ts';
import { type Commit, commitFiles, type Submodule } from './files.ts';
import { type Git, runGit } from './git.ts';
import { gitDirFiles } from './git-dir.ts';
import { openSsh } from './ssh.ts';

export interface GitTree extends AsyncDisposable {
  readonly tree: BuildTree;
  /** Its whole name, in hexadecimal. */
  readonly commitId: string;
}

const mostSubmodules = 200;
const deepestSubmodule = 10;

/** Fetches a commit, and those of its submodules, and opens their files. What was fetched is gone from the disk when this resolves. */
export async function openGitTree(
  request: DockerfileRequest,
  { remote, ref, subdir }: GitAddress,
  { keepsGitDir, signal }: { readonly keepsGitDir: boolean; readonly signal: AbortSignal },
): Promise<GitTree> {
  await using repositories = new Repositories(request, { signal, trusted: hostOf(remote) });
  const commit = await fetchCommit(await repositories.open(remote), remote, ref);
  if (subdir !== '') await checkFolder(commit, subdir);
  const tree = await request.engine.builds.openFiles(
    filesOf(repositories, commit, { remote, subdir, keepsGitDir: keepsGitDir && subdir === '' }),
    { signal },
  );
  return { tree, commitId: commit.id, [Symbol.asyncDispose]: () => tree[Symbol.asyncDispose]() };
}

async function checkFolder({ git, id }: Commit, subdir: string): Promise<void> {
  const type = await runGit(git, ['cat-file', '-t', `${id}:${subdir}`]).then(String, () => 'nothing');
  if (type.trim() !== 'tree') throw invalidArgument(`the repository has no folder ${JSON.stringify(subdir)} in commit ${id}`);
}

async function* filesOf(
  repositories: Repositories,
  commit: Commit,
  { remote, subdir, keepsGitDir }: { readonly remote: string; readonly subdir: string; readonly keepsGitDir: boolean },
): AsyncIterable<TreeFile> {
  const waiting: Module[] = [{ commit, remote, subdir, below: '', depth: 0 }];
  for (let module = waiting.shift(); module !== undefined; module = waiting.shift()) {
    const found: Submodule[] = [];
    yield* commitFiles(module.commit, { ...module, onSubmodule: (each) => found.push(each) });
    if (keepsGitDir && module.depth === 0) yield* gitDirFiles(module.commit);
    waiting.push(...(await fetched(repositories, module, found)));
    if (repositories.count > mostSubmodules) throw invalidArgument(`${shownRemote(remote)} has more than ${mostSubmodules} submodules`);
  }
}

interface Module {
  readonly commit: Commit;
  readonly remote: string;
  /** What of it is wanted, and where it is to lie: "vendor/lib/". */
  readonly subdir: string;
  readonly below: string;
  readonly depth: number;
}

/** One whose address is not told anywhere stays an empty folder, as git leaves it. */
async function fetched(
  repositories: Repositories,
  { commit, remote, subdir, below, depth }: Module,
  found: readonly Submodule[],
): Promise<readonly Module[]> {
  if (found.length === 0) return [];
  if (depth >= deepestSubmodule) throw invalidArgument(`submodules of ${shownRemote(remote)} lie more than ${deepestSubmodule} deep`);
  const urls = await submoduleUrls(commit);
  const modules: Module[] = [];
  for (const { path, commitId } of found) {
    const url = urls.get(path);
    if (url === undefined) continue;
    const from = addressOf(remote, path, url);
    const own = await fetchCommit(await repositories.open(from), from, commitId);
    const inside = subdir === '' ? path : path.slice(subdir.length + 1);
    modules.push({ commit: own, remote: from, subdir: '', below: `${below}${inside}/`, depth: depth + 1 });
  }
  return modules;
}

function addressOf(remote: string, path: string, url: string): string {
  try {
    return submoduleRemote(remote, url);
  } catch (error) {
    throw invalidArgument(`submodule ${path} of ${shownRemote(remote)}: ${messageOf(error)}`, { cause: error });
  }
}

/** By path, as .gitmodules of the commit says. It is read as settings, of which none is used but these two. */
async function submoduleUrls({ git, id }: Commit): Promise<ReadonlyMap<string, string>> {
  const text = await runGit(git, ['config', '--blob', `${id}:.gitmodules`, '--list', '-z']).then(String, () => '');
  const modules = new Map<string, { path?: string; url?: string }>();
  for (const setting of text.split('\0')) {
    const [, name = '', key = '', value = ''] = /^submodule\.([\s\S]*)\.(path|url)\n([\s\S]*)$/.exec(setting) ?? [];
    if (key !== '') modules.set(name, { ...modules.get(name), [key]: value });
  }
  return new Map([...modules.values()].flatMap(({ path, url }) => (path === undefined || url === undefined ? [] : [[path, url] as const])));
}

/** Folders that are gone afterwards. */
class Repositories implements AsyncDisposable {
  readonly #request: DockerfileRequest;
  readonly #signal: AbortSignal;
  readonly #trusted: string;
  readonly #folders: string[] = [];
  readonly #opened = new AsyncDisposableStack();
  #ssh: Promise<string> | undefined;

  /** `trusted`: the host that whoever builds named, and not a repository. */
  constructor(request: DockerfileRequest, { signal, trusted }: { readonly signal: AbortSignal; readonly trusted: string }) {
    this.#request = request;
    this.#signal = signal;
    this.#trusted = trusted;
  }

  get count(): number {
    return this.#folders.length;
  }

  async open(remote: string): Promise<Git> {
    const folder = join(this.#request.dataDir, 'git');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const dir = mkdtempSync(join(folder, 'repository-'));
    this.#folders.push(dir);
    const ssh = isBySsh(remote) ? await this.#sshFor(remote) : undefined;
    return { dir, secretSettings: await this.#credentials(remote), environment: proxies(this.#request), ssh, signal: this.#signal };
  }

  /** The agent is for the host that whoever builds named, and for none that only a repository names. */
  #sshFor(remote: string): Promise<string> {
    if (hostOf(remote) !== this.#trusted)
      throw invalidArgument(`${shownRemote(remote)} is fetched by ssh from ${this.#trusted} alone`, {
        hint: 'a repository that names another host does not get to use your ssh agent there',
      });
    return (this.#ssh ??= openSsh(this.#request, { opened: this.#opened, signal: this.#signal }));
  }

  /** Secrets of whoever builds, by BuildKit's names. One that names no host is not for hosts that only a repository names, as its submodules do. */
  async #credentials(remote: string): Promise<Git['secretSettings']> {
    if (!/^https?:/i.test(remote)) return [];
    const { host, origin } = new URL(remote);
    const options = { signal: this.#signal };
    const secret = async (name: string): Promise<string | undefined> => {
      const own = await this.#request.secret?.(`${name}.${host}`, options);
      const found = own ?? (host === this.#trusted ? await this.#request.secret?.(name, options) : undefined);
      return found?.toString().trim();
    };
    const [header, token] = [await secret('GIT_AUTH_HEADER'), await secret('GIT_AUTH_TOKEN')];
    const value = header ?? (token === undefined ? undefined : `basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`);
    return value === undefined ? [] : [[`http.${origin}/.extraHeader`, `Authorization: ${value}`]];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
    for (const folder of this.#folders) await rm(folder, { recursive: true, force: true });
  }
}

/** Those that whoever builds gave for the steps. */
function proxies({ buildArgs }: DockerfileRequest): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(buildArgs).flatMap(([name, value]) =>
      /^(?:https?|all|no)_proxy$/i.test(name) && value !== null ? [[name.toLowerCase(), value]] : [],
    ),
  );
}

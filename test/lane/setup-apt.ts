import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir } from './cache.ts';

export const suite = 'trixie';
export const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Lines of sources.list for the guests' Debian, from the mirrors that this machine's apt uses. */
export function sources(): readonly string[] {
  const { debian, security } = mirrors();
  if (debian === undefined) throw new Error(`the kernel lane: ${noMirror}`);
  const lines = [`${debian} ${suite}`, `${debian} ${suite}-updates`, ...(security === undefined ? [] : [`${security} ${suite}-security`])];
  return lines.map((line) => `deb [signed-by=${keyring}] ${line} main contrib`);
}

const noMirror = "setting it up needs a mirror of Debian among the sources of this machine's apt";

function mirrors(): { readonly debian: string | undefined; readonly security: string | undefined } {
  const uris = machineUris();
  return { debian: uris.find((uri) => /\/debian\/?$/.test(uri)), security: uris.find((uri) => /\/debian-security\/?$/.test(uri)) };
}

function machineUris(): readonly string[] {
  const texts = globSync('/etc/apt/{sources.list,sources.list.d/*}').map((file) => readFileSync(file, 'utf8'));
  return texts.flatMap((text) => [...text.matchAll(/(?:^URIs:|^deb(?: \[[^\]]*\])?)\s+(\S+)/gm)].map(([, uri = '']) => uri));
}

/** An apt of its own: sources, lists and archives in the cache, nothing of the machine's is read or changed. */
export class Apt {
  readonly #folder = join(cacheDir, 'apt');
  readonly #env: NodeJS.ProcessEnv;

  constructor() {
    for (const name of ['lists/partial', 'archives/partial']) mkdirSync(join(this.#folder, name), { recursive: true });
    const config = join(this.#folder, 'apt.conf');
    writeFileSync(join(this.#folder, 'sources.list'), `${sources().join('\n')}\n`);
    writeFileSync(
      config,
      `Dir::Etc::sourcelist "${this.#folder}/sources.list"; Dir::Etc::sourceparts "/dev/null"; Dir::State::lists "${this.#folder}/lists";
Dir::State::status "/dev/null"; Dir::Cache "${this.#folder}"; Acquire::Languages "none"; APT::Sandbox::User "root";\n`,
    );
    this.#env = { ...process.env, APT_CONFIG: config };
  }

  update(): void {
    this.#run('apt-get', '-qq', 'update');
  }

  version(name: string): string {
    return /^ *Candidate: (.*)$/m.exec(this.#run('apt-cache', 'policy', name))?.[1] ?? '';
  }

  /** The package that a meta package stands for: linux-image-cloud-amd64 for one with a version in its name. */
  behind(name: string): string {
    return /^ *Depends: (linux-[a-z]+-\d\S*)$/m.exec(this.#run('apt-cache', 'depends', name))?.[1] ?? name;
  }

  /** Fetches a package and unpacks it into a folder, without running its scripts. */
  unpack(name: string, folder: string): void {
    const archives = join(this.#folder, 'archives');
    this.#run(
      'sh',
      '-c',
      `cd ${archives} && rm -f ${name}_*.deb && apt-get -q download ${name} && dpkg -x ${name}_*.deb ${folder} && rm -f ${name}_*.deb`,
    );
  }

  #run(command: string, ...given: readonly string[]): string {
    return execFileSync(command, given, { env: this.#env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  }
}

/** Why the lane cannot be set up on this machine; undefined when it can be tried. */
export function missingForSetup(): string | undefined {
  if (process.arch !== 'x64') return 'its kernels are for x86-64';
  if (process.getuid?.() !== 0) return 'setting it up needs root';
  if (!existsSync('/usr/bin/apt-get')) return 'setting it up needs apt';
  if (!existsSync(keyring)) return `setting it up needs ${keyring} (package debian-archive-keyring)`;
  return mirrors().debian === undefined ? noMirror : undefined;
}

import { spawnSync } from 'node:child_process';
import type { RegistryAuth } from '@gantry/sdk/transport';
import { invalidArgument, unavailable } from '@gantry/sdk/errors';

const longestMs = 30_000;
/** As user name: the secret is a token. */
const tokenUser = '<token>';

/** A program that keeps logins: docker-credential-NAME. It is given the server on stdin, and never a secret in its arguments. */
export class CredentialHelper {
  readonly #program: string;

  constructor(name: string) {
    if (!/^[\w.-]+$/.test(name)) throw invalidArgument(`${JSON.stringify(name)} is not the name of a credential helper`);
    this.#program = `docker-credential-${name}`;
  }

  get(server: string): RegistryAuth | undefined {
    const answer = this.#run('get', server, { mayLack: true });
    if (answer === undefined) return undefined;
    const { Username = '', Secret = '' } = this.#parsed(answer);
    if (Secret === '') return undefined;
    return Username === tokenUser ? { identityToken: Secret } : { username: Username, password: Secret };
  }

  store(server: string, { username = '', password = '', identityToken }: RegistryAuth): void {
    const login = identityToken === undefined ? { Username: username, Secret: password } : { Username: tokenUser, Secret: identityToken };
    this.#run('store', JSON.stringify({ ServerURL: server, ...login }));
  }

  erase(server: string): void {
    this.#run('erase', server, { mayLack: true });
  }

  #parsed(text: string): { readonly Username?: string; readonly Secret?: string } {
    try {
      return JSON.parse(text) as { readonly Username?: string; readonly Secret?: string };
    } catch {
      throw unavailable(`${this.#program} answered no JSON`);
    }
  }

  /** Undefined when it has no such login, which helpers say on stdout. */
  #run(verb: 'get' | 'store' | 'erase', input: string, { mayLack = false } = {}): string | undefined {
    const { status, stdout, stderr, error } = spawnSync(this.#program, [verb], { input, encoding: 'utf8', timeout: longestMs });
    if (error !== undefined)
      throw unavailable(`${this.#program} cannot be run: ${error.message}`, { hint: 'install it, or take it out of config.json' });
    if (status === 0) return stdout;
    const said = (stdout.trim() || stderr.trim()).split('\n')[0] ?? '';
    if (mayLack && /not found/i.test(said)) return undefined;
    throw unavailable(`${this.#program} ${verb} failed${said === '' ? '' : `: ${said.slice(0, 200)}`}`);
  }
}

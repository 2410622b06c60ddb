import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createPlugin, languages, type Plan } from '../../../sdk/create/index.ts';

const top = join(import.meta.dirname, '../../..');
const cache = join(top, '.cache/plugins');

/** A plugin's folder with all that it runs with; or what this machine lacks to make it. */
export type Built = { readonly dir: string } | { readonly missing: string };

/** The languages that need a tool chain of their own, and what each needs of this machine. */
const tools = {
  go: { needs: 'needs go', find: () => (runs('go', 'version') ? {} : undefined) },
  python: {
    needs: 'needs python3 with venv',
    find: () => {
      const python = withVenv();
      return python === undefined ? undefined : { PYTHON: python };
    },
  },
} as const;
export type BuiltLanguage = keyof typeof tools;
export const builtLanguages: readonly BuiltLanguage[] = ['go', 'python'];

export interface BuiltPlugin {
  readonly kind: Plan['kind'];
  readonly name: string;
  readonly built: Built;
}

/**
 * What `gantry-sdk create NAME --lang LANG` makes of every kind, built as its README says: once for each state of the templates and protos.
 * Needs the network for its modules the first time, so call it before `inNamespaces`.
 */
export function builtPlugins(lang: BuiltLanguage): readonly BuiltPlugin[] {
  return (languages[lang]?.kinds ?? []).map((kind) => ({ kind, name: `${lang}-${kind}`, built: builtPlugin(lang, kind) }));
}

function builtPlugin(lang: BuiltLanguage, kind: Plan['kind']): Built {
  const env = tools[lang].find();
  if (env === undefined) return { missing: tools[lang].needs };
  mkdirSync(cache, { recursive: true });
  const making = mkdtempSync(join(cache, 'making-'));
  try {
    const dir = join(making, 'plugin');
    const files = createPlugin(dir, { name: `${lang}-${kind}`, kind, lang });
    const made = join(cache, digestOf(dir, files));
    if (!existsSync(made)) {
      const path = `${join(top, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}`;
      execFileSync(join(dir, 'build.sh'), {
        cwd: dir,
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, ...env, PATH: path },
      });
      publish(making, made);
    }
    return { dir: join(made, 'plugin') };
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
}

function digestOf(dir: string, files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(`${file}\0`).update(readFileSync(join(dir, file)));
  return hash.digest('hex').slice(0, 16);
}

/** Somebody else may be faster, with the same. */
function publish(making: string, made: string): void {
  try {
    renameSync(making, made);
  } catch (error) {
    if (!existsSync(made)) throw error;
  }
}

/** The system's, which plugins see; Debian's has pip only with further packages, and then any other of the same version makes the same. */
function withVenv(): string | undefined {
  const python = '/usr/bin/python3';
  if (!existsSync(python)) return undefined;
  const version = versionOf(python);
  return [python, 'python3'].find((each) => runs(each, '-c', 'import venv, ensurepip') && versionOf(each) === version);
}

function runs(command: string, ...given: readonly string[]): boolean {
  return spawnSync(command, given, { stdio: 'ignore' }).status === 0;
}

function versionOf(python: string): string {
  return execFileSync(python, ['-c', 'import sys; print(sys.version_info[:2])'], { encoding: 'utf8' });
}

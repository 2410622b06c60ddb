import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const top = join(import.meta.dirname, '../..');
const protos = join(top, 'proto');

/** A plugin's folder with all that it runs with; or what this machine lacks to make it. */
export type Built = { readonly dir: string } | { readonly missing: string };

/** The Go program of an example, made from the protos alone: once for each state of its sources. Needs the network for its modules the first time. */
export function buildGo(source: string): Built {
  if (!runs('go', 'version')) return { missing: 'needs go' };
  return built(source, (dir) => {
    const buf = createRequire(import.meta.url).resolve('@bufbuild/buf/bin/buf');
    run(dir, process.execPath, [buf, 'generate', protos, '--template', 'buf.gen.yaml']);
    run(dir, 'go', ['build', '-trimpath', '-ldflags=-s -w', '-o', 'driver', '.'], { CGO_ENABLED: '0' });
  });
}

/** The packages and modules of a Python example beside its own, for the Python that plugins see: the system's. */
export function buildPython(source: string): Built {
  const python = '/usr/bin/python3';
  if (!existsSync(python)) return { missing: 'needs python3 with venv' };
  const version = versionOf(python);
  // Debian's has pip only with further packages; any other of the same version serves as well.
  const withVenv = [python, 'python3'].find((each) => runs(each, '-c', 'import venv, ensurepip') && versionOf(each) === version);
  if (withVenv === undefined) return { missing: 'needs python3 with venv' };
  return built(source, (dir) => {
    const tools = join(dir, 'tools');
    run(dir, withVenv, ['-m', 'venv', tools]);
    const inTools = join(tools, 'bin/python3');
    run(dir, inTools, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', 'requirements-tools.txt']);
    run(dir, inTools, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', 'lib', '-r', 'requirements.txt']);
    mkdirSync(join(dir, 'gen'));
    const files = globSync('gantry/{types,plugin,volume}/v1/*.proto', { cwd: protos });
    run(dir, inTools, ['-m', 'grpc_tools.protoc', '-I', protos, '--python_out=gen', '--grpc_python_out=gen', ...files]);
    // Compiled once: plugins cannot write to their code.
    run(dir, python, ['-m', 'compileall', '-q', 'lib', 'gen']);
    rmSync(tools, { recursive: true });
  });
}

/** Below .cache, by what it is made of: another run finds it there. */
function built(source: string, make: (dir: string) => void): Built {
  const hash = createHash('sha256');
  for (const file of [...globSync(join(source, '**')), ...globSync(join(protos, '**/*.proto')), import.meta.filename].toSorted())
    if (!file.endsWith('/') && existsSync(file) && !isFolder(file)) hash.update(`${file}\0`).update(readFileSync(file));
  const name = hash.digest('hex').slice(0, 16);
  const dir = join(top, '.cache/plugins', name, 'plugin');
  if (existsSync(dir)) return { dir };
  const making = join(top, '.cache/plugins', `${name}.${process.pid}`);
  rmSync(making, { recursive: true, force: true });
  cpSync(source, join(making, 'plugin'), { recursive: true });
  make(join(making, 'plugin'));
  try {
    renameSync(making, join(top, '.cache/plugins', name));
  } catch (error) {
    // Somebody else was faster.
    rmSync(making, { recursive: true });
    if (!existsSync(dir)) throw error;
  }
  return { dir };
}

function isFolder(path: string): boolean {
  return globSync(`${path}/`).length > 0;
}

function run(cwd: string, command: string, given: readonly string[], env: Readonly<Record<string, string>> = {}): void {
  execFileSync(command, given, { cwd, stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...env } });
}

function runs(command: string, ...given: readonly string[]): boolean {
  return spawnSync(command, given, { stdio: 'ignore' }).status === 0;
}

function versionOf(python: string): string {
  return execFileSync(python, ['-c', 'import sys; print(sys.version_info[:2])'], { encoding: 'utf8' });
}

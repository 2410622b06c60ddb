import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { deniedUnless } from '../serve/denied-calls.ts';

/** Refused for some of their arguments. */
const withArguments = ['clone', 'clone3', 'socket'];
/** Node's event loop tries io_uring whatever its program does, and goes on without: that says nothing of a plugin. */
const watched = deniedUnless.map(({ capabilities, calls }) => ({
  capabilities,
  calls: calls.filter(({ name }) => !name.startsWith('io_uring_')),
}));
const namespaces = /^clone3?\(.*\b(CLONE_NEW(?:NS|CGROUP|UTS|IPC|USER|PID|NET))\b/;
const families = /^socket\((AF_ALG|AF_VSOCK)\b/;

/**
 * The words to put before a program's so that strace(1) writes down what the engine's sandbox may refuse, of it and all that it starts. The program
 * stays the child that it would be, and its calls that are not watched cost next to nothing.
 */
export function tracing(file: string): readonly string[] {
  // Names that this machine's kind or this strace does not know are passed over.
  const calls = [...watched.flatMap(({ calls: denied }) => denied.map(({ name }) => name)), ...withArguments];
  return [
    'strace',
    '-D',
    '-f',
    '--seccomp-bpf',
    '-qq',
    '-e',
    'signal=none',
    '-e',
    `trace=${calls.map((name) => `?${name}`).join(',')}`,
    '-o',
    file,
    '--',
  ];
}

/** Why programs cannot be traced here; undefined: they can. */
export async function whyNotTraced(): Promise<string | undefined> {
  const child = spawn('strace', [...tracing('/dev/null').slice(1), 'true'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const failed = once(child, 'error').then(() => 'needs strace');
  const ended = once(child, 'close').then(([code]) => (code === 0 ? undefined : `strace cannot trace here: ${said.trim().split('\n')[0]}`));
  return await Promise.race([ended, failed]);
}

/** What of a trace is for plugins with other capabilities than these: "mount (CAP_SYS_ADMIN)", each once, sorted. */
export function undeclaredCalls(file: string, capabilities: readonly string[]): readonly string[] {
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.replace(/^\d+ +/, ''));
  const isHeld = (any: readonly string[]): boolean => any.some((name) => capabilities.includes(name) || capabilities.includes('ALL'));
  const found = lines.flatMap(rulesFor).filter(({ capabilities: any }) => !isHeld(any));
  return [...new Set(found.map(({ call, capabilities: any }) => (any.length === 0 ? call : `${call} (${any.join(' or ')})`)))].toSorted();
}

interface Rule {
  readonly call: string;
  /** Any one of them allows it. */
  readonly capabilities: readonly string[];
}

function rulesFor(line: string): readonly Rule[] {
  const name = /^(\w+)\(/.exec(line)?.[1] ?? '';
  const [, namespace] = namespaces.exec(line) ?? [];
  const [, family] = families.exec(line) ?? [];
  return [
    ...watched
      .filter(({ calls }) => calls.some((denied) => denied.name === name))
      .map(({ capabilities }) => ({ call: name, capabilities })),
    ...(namespace === undefined ? [] : [{ call: `${name}(${namespace})`, capabilities: ['CAP_SYS_ADMIN'] }]),
    ...(family === undefined ? [] : [{ call: `${name}(${family})`, capabilities: [] }]),
  ];
}

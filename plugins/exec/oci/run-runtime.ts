import { internal } from '@gantry/sdk';
import { run } from '@gantry/sdk/linux';
import { searchPath } from './monitor.ts';
import type { Runtime } from './runtimes.ts';

/** Runs one command of the runtime to its end; its complaint becomes the error. */
export async function runRuntime(
  { path, root, options }: Pick<Runtime, 'path' | 'root' | 'options'>,
  given: readonly string[],
  { signal, doing, stdin }: { readonly signal?: AbortSignal; readonly doing: string; readonly stdin?: string },
): Promise<string> {
  const result = await run({
    file: path,
    argv: [path, ...options, '--root', root, ...given],
    env: { PATH: searchPath },
    cwd: '/',
    timeoutMs: 30_000,
    ...(signal && { signal }),
    ...(stdin !== undefined && { stdin }),
  });
  if (result.exitCode === 0) return result.stdout.toString('utf8');
  throw internal(`${doing}: ${complaint(result.stderr.toString('utf8')) || `${path} ended with ${result.exitCode ?? result.signal}`}`);
}

function complaint(stderr: string): string {
  const lines = stderr.trim().split('\n');
  const message = /msg="((?:[^"\\]|\\.)*)"/.exec(lines.at(-1) ?? '')?.[1] ?? lines.at(-1) ?? '';
  return message.replace(/\\"/g, '"');
}

import { spawn } from 'node:child_process';
import { type ErrorCode, errorCodes, GantryError, internal, messageOf, unavailable } from '../errors.ts';

export interface ScriptCall {
  /** A program, and the method's name as its argument. */
  readonly command: string;
  readonly method: string;
  readonly request: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}
const answerMaxBytes = 4 * 1_024 * 1_024;

/**
 * Runs `command method` once: the request as JSON on its stdin, the answer as JSON on its stdout (nothing: an empty one). Exit code 0: done;
 * any other: failed, as `{"code","message","reason"}` on stderr says. When time is up, or the signal fires, its whole process group is killed.
 */
export async function runScript(call: ScriptCall): Promise<unknown> {
  const { command, method, request, env, cwd, timeoutMs, signal } = call;
  signal.throwIfAborted();
  const timeout = AbortSignal.timeout(timeoutMs);
  const stop = AbortSignal.any([signal, timeout]);
  const child = spawn(command, [method], { cwd, env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
  const kill = (): void => killGroup(child.pid);
  stop.addEventListener('abort', kill, { once: true });
  try {
    const ended = exitOf(child, command);
    child.stdin.on('error', () => {}); // it need not read its request
    child.stdin.end(JSON.stringify(request));
    const [code, stdout, stderr] = await Promise.all([ended, collected(child.stdout, kill), collected(child.stderr, kill)]);
    signal.throwIfAborted();
    if (timeout.aborted) throw unavailable(`${command} ${method} did not end within ${timeoutMs / 1_000} s`, { reason: 'SCRIPT_TIMEOUT' });
    if (code !== 0) throw failure(`${command} ${method}`, code, stderr);
    return answerOf(`${command} ${method}`, stdout);
  } finally {
    stop.removeEventListener('abort', kill);
    // What it left running in the background ends with the call.
    kill();
  }
}

function exitOf(child: ReturnType<typeof spawn>, command: string): Promise<number | string> {
  return new Promise((resolve, reject) => {
    child.on('error', (error) =>
      reject(internal(`${command} cannot be run: ${messageOf(error)}`, { cause: error, reason: 'SCRIPT_NOT_RUNNABLE' })),
    );
    child.on('close', (code, by) => resolve(code ?? by ?? 'nothing'));
  });
}

/** More than the limit ends the script: what it says would not be taken anyway. */
async function collected(stream: NodeJS.ReadableStream, kill: () => void): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    const part = Buffer.from(chunk);
    bytes += part.length;
    if (bytes > answerMaxBytes) kill();
    else chunks.push(part);
  }
  return Buffer.concat(chunks).toString();
}

function answerOf(what: string, text: string): unknown {
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text);
  } catch (error) {
    throw internal(`${what} answered no JSON: ${JSON.stringify(text.slice(0, 200))}`, { cause: error, reason: 'SCRIPT_ANSWER' });
  }
}

function failure(what: string, code: number | string, stderr: string): GantryError {
  const last = stderr.trim().split('\n').at(-1) ?? '';
  const told = objectOf(last);
  if (told === undefined)
    return unavailable(`${what} failed (${code}): ${last.slice(0, 400) || 'it said nothing'}`, { reason: 'SCRIPT_FAILED' });
  const { message, reason, hint } = told;
  return new GantryError(codeOf(told['code']), typeof message === 'string' ? message : `${what} failed`, {
    reason: typeof reason === 'string' ? reason : 'SCRIPT_FAILED',
    ...(typeof hint === 'string' ? { hint } : {}),
  });
}

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

/** Ours, or gRPC's. */
function codeOf(given: unknown): ErrorCode {
  const name = String(given).toLowerCase();
  return errorCodes.find((code) => code === name) ?? grpcNames[name] ?? 'internal';
}

const grpcNames: Readonly<Record<string, ErrorCode>> = {
  failed_precondition: 'conflict',
  resource_exhausted: 'exhausted',
  permission_denied: 'forbidden',
  unauthenticated: 'unauthorized',
  unimplemented: 'not_implemented',
};

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group is gone already.
  }
}

/* oxlint-disable typescript/no-unsafe-type-assertion, typescript/no-unnecessary-type-parameters -- a C function has the type that its declaration says */
import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import type { LibraryHandle } from 'koffi';
import type koffiModule from 'koffi';

/** A buffer, a text, or NULL, as C sees it. A text is passed as UTF-8 with a NUL at its end; a buffer is passed as it is, without a copy. */
export type Pointer = Uint8Array | string | bigint | null;

/**
 * A function of the C library (or of another one), declared at its first call: importing this room loads nothing.
 * `parameters` are koffi types; a failed call leaves its reason in `errno()`.
 */
export function declare<F extends (...parameters: never[]) => unknown>(
  name: string,
  result: string,
  parameters: readonly string[],
  library: () => LibraryHandle = libc,
): F {
  let call: F | undefined;
  const late = (...given: Parameters<F>): unknown => {
    call ??= library().func(name, result, [...parameters]) as unknown as F;
    return call(...given);
  };
  return late as unknown as F;
}

/** Like `declare`, for a call that may block for long: it runs in Node's thread pool. Its errno is lost, so it suits calls whose outcome is told otherwise. */
export function declareAside<P extends readonly unknown[], R>(
  name: string,
  result: string,
  parameters: readonly string[],
): (...parameters: P) => Promise<R> {
  let call: ReturnType<LibraryHandle['func']> | undefined;
  return (...given) => {
    call ??= libc().func(name, result, [...parameters]);
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    call.async(...given, (error: unknown, answer: R) => (error ? reject(error) : resolve(answer)));
    return promise;
  };
}

/** Whether the C library has this function; older ones lack some. */
export function hasFunction(name: string): boolean {
  try {
    libc().func(name, 'int', []);
    return true;
  } catch {
    return false;
  }
}

/** The errno that the last call in this thread left; meaningful only right after a call that reported failure. */
export function errno(): number {
  return koffi().errno();
}

/** The FFI library itself, loaded at first use. */
export function koffi(): typeof koffiModule {
  loadedKoffi ??= loadKoffi();
  return loadedKoffi;
}

function loadKoffi(): typeof koffiModule {
  const require = createRequire(import.meta.url);
  const loading = require('koffi') as typeof koffiModule;
  if (!isMainThread)
    keepMapped(
      loading,
      Object.keys(require.cache).find((path) => path.endsWith('.node') && path.includes('koffi')),
    );
  return loading;
}

/**
 * Node unmaps an addon when the last thread that loaded it has gone, and then libuv still calls back into it to close what a terminated worker was watching: a crash of the
 * whole process. So a worker makes the mapping stay: dlopen(3) with RTLD_NODELETE.
 */
function keepMapped(loading: typeof koffiModule, path: string | undefined): void {
  const dlopen = loading.load(null).func('dlopen', 'void *', ['str', 'int']);
  if (path === undefined || dlopen(path, 0x1002 /* RTLD_NODELETE, RTLD_NOW */) === null)
    throw new Error('koffi cannot be kept in memory for this worker');
}

let loadedKoffi: typeof koffiModule | undefined;
let loadedLibc: LibraryHandle | undefined;

function libc(): LibraryHandle {
  loadedLibc ??= koffi().load('libc.so.6');
  return loadedLibc;
}

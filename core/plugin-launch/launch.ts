import type { Abortable } from '../support/index.ts';
import { checkFields } from './check.ts';
import { startConfined } from './confined.ts';
import type { Launched, LaunchRequest } from './types.ts';
import { startUnconfined } from './unconfined.ts';

/**
 * Starts a plugin's process: confined (namespaces, a root of its own, its user, no more capabilities than granted, a system call filter, a cgroup), or with the
 * privilege `unconfined` as it is. Resolves as soon as it runs, which says nothing about how it fares. A second call starts a second one, which must have another `instance`.
 *
 * Refuses with `invalid_argument` what contradicts itself, `not_found` and `forbidden` what it needs and is not there or may not be used, each naming the plugin. Abort
 * kills what has been started and rejects with the signal's reason; nothing is left then, nor after any other failure.
 */
export async function launch(request: LaunchRequest, { signal }: Abortable): Promise<Launched> {
  signal.throwIfAborted();
  checkFields(request);
  return request.privileges.unconfined === true ? startUnconfined(request, { signal }) : startConfined(request, { signal });
}

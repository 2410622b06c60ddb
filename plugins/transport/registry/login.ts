import { unavailable } from '@gantry/sdk';
import type { RegistryAuth } from '@gantry/sdk/transport';
import type { Registry } from './registry.ts';

/** Asks for the root of the registry's API, as who the credentials say; without a repository, so no more than who it is is asked of a token server. */
export async function checkCredentials(
  registry: Registry,
  { host, auth }: { readonly host: string; readonly auth: RegistryAuth },
  signal: AbortSignal,
): Promise<void> {
  const place = { host, repository: '', auth };
  const { message } = await registry.ask({ place, access: 'pull', method: 'GET', at: '', what: 'login', wanted: [200] }, signal);
  message.resume();
  if (/^text\/html\b/i.test(message.headers['content-type'] ?? '')) {
    throw unavailable(`${host} answers with a page: it is no registry`, { hint: 'is the name right, and is there a proxy before it?' });
  }
}

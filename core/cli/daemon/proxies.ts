import type { DaemonOptions } from '../daemon-options.ts';

/** Those of the environment, in either case as curl and Go read them. */
export function environmentProxies(environment: Readonly<Record<string, string | undefined>>): DaemonOptions['proxies'] {
  const read = (name: string): string | undefined => environment[name] || environment[name.toLowerCase()] || undefined;
  const [http, https, none] = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'].map(read);
  return { ...(http && { http }), ...(https && { https }), ...(none && { none }) };
}

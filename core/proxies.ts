/** How registries are reached. */
export interface Proxies {
  /** Proxy for plain HTTP, "http://proxy:3128". */
  readonly http?: string;
  /** For HTTPS. */
  readonly https?: string;
  /** Hosts, ".domains" and networks that are reached without one, with commas between them. */
  readonly none?: string;
}

/** Those of the environment, in either case as curl and Go read them. */
export function proxiesOf(environment: Readonly<Record<string, string | undefined>>): Proxies {
  const read = (name: string): string | undefined => environment[name] || environment[name.toLowerCase()] || undefined;
  const [http, https, none] = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'].map(read);
  return { ...(http && { http }), ...(https && { https }), ...(none && { none }) };
}

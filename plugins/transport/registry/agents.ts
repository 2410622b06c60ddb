import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { certificatesFor } from './certificates.ts';
import { isAmong, isLoopback } from './hosts.ts';
import type { RegistrySettings } from './settings.ts';

const common = { keepAlive: true, maxSockets: 16 };

/** Connections that are kept: straight, or by the proxy that the settings name for the address. */
export class Agents implements Disposable {
  readonly #settings: RegistrySettings;
  readonly #kept = new Map<string, HttpAgent>();

  constructor(settings: RegistrySettings) {
    this.#settings = settings;
  }

  of(url: URL): HttpAgent {
    const proxied = this.proxyOf(url) !== undefined;
    // Certificates are by host.
    const key = `${url.protocol} ${proxied} ${url.protocol === 'https:' ? url.host : ''}`;
    const known = this.#kept.get(key);
    if (known !== undefined) return known;
    const options = { ...common, ...(proxied && { proxyEnv: this.#proxyEnv() }) };
    const agent = url.protocol === 'https:' ? this.#tls(url, options) : new HttpAgent(options);
    this.#kept.set(key, agent);
    return agent;
  }

  [Symbol.dispose](): void {
    for (const agent of this.#kept.values()) agent.destroy();
  }

  #tls({ host }: URL, options: typeof common): HttpsAgent {
    const { ca, ...own } = certificatesFor(host, this.#settings.certificateFolders);
    return new HttpsAgent({ ...options, ...own, ...(ca === undefined ? {} : { ca: [...ca] }) });
  }

  /** No proxy reaches this machine's own registries; networks in the list of exceptions are ours to understand. */
  proxyOf(url: URL): string | undefined {
    const { http, https, none = '' } = this.#settings.proxies;
    const proxy = url.protocol === 'https:' ? https : http;
    if (proxy === undefined || proxy === '' || isLoopback(url)) return undefined;
    const exceptions = none.split(',').map((entry) => entry.trim());
    return isAmong(url, exceptions) ? undefined : proxy;
  }

  #proxyEnv() {
    const { http, https, none } = this.#settings.proxies;
    return { ...(http && { HTTP_PROXY: http }), ...(https && { HTTPS_PROXY: https }), ...(none && { NO_PROXY: none }) };
  }
}

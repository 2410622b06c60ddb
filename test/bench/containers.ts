import type { Api } from '../support/clients/api.ts';

/** So many containers in the list, made where they lack. */
export async function fill(api: Api, count: number): Promise<void> {
  const there = (await api.json<readonly unknown[]>('GET', '/containers/json?all=1')).length;
  await Promise.all(Array.from({ length: Math.max(0, count - there) }, () => create(api, ['true'], 'none')));
}

export async function create(api: Api, command: readonly string[], network: string): Promise<string> {
  const json = { Image: 'busybox', Cmd: command, StopSignal: 'SIGKILL', HostConfig: { NetworkMode: network } };
  return (await api.json<{ readonly Id: string }>('POST', '/containers/create', { json })).Id;
}

export async function start(api: Api, id: string): Promise<void> {
  await api.json('POST', `/containers/${id}/start`);
}

export async function remove(api: Api, id: string): Promise<void> {
  await api.json('DELETE', `/containers/${id}?force=1&v=1`);
}

/** Whatever is there, as far as it can be. */
export async function removeAll(api: Api): Promise<void> {
  const all = await api.json<readonly { readonly Id: string }[]>('GET', '/containers/json?all=1').catch(() => []);
  await Promise.all(all.map(({ Id }) => api.call('DELETE', `/containers/${Id}?force=1&v=1`).catch(() => undefined)));
}

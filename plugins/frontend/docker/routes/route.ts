import type { Call } from '../http/call.ts';

export interface Route {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'OPTIONS';
  /** In the router's syntax: "/containers/:id/json". */
  readonly path: string;
  handle(call: Call): void | Promise<void>;
}

type Make = (path: string, handle: Route['handle']) => Route;
const make =
  (method: Route['method']): Make =>
  (path, handle) => ({ method, path, handle });

export const get = make('GET');
export const head = make('HEAD');
export const post = make('POST');
export const put = make('PUT');
export const remove = make('DELETE');
export const options = make('OPTIONS');

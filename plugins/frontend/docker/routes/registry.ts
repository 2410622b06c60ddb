import { notImplemented } from '@gantry/sdk';
import { get, post, type Route } from './route.ts';

const noRegistry = (what: string) => (): never => {
  throw notImplemented(`${what} needs a registry transport that can do it, and none is loaded`);
};

/** Questions to a registry that the engine has no driver for. */
export const registryRoutes: readonly Route[] = [
  post('/auth', noRegistry('logging in')),
  get('/distribution/:name/json', noRegistry('inspecting a remote image')),
  get('/images/search', noRegistry('searching for images')),
];

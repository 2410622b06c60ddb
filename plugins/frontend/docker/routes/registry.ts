import { notImplemented } from '@gantry/sdk';
import { registryAuth } from '../bodies/objects.ts';
import { withoutAbsent } from '../http/absent.ts';
import type { Call } from '../http/call.ts';
import { authOf } from '../http/registry-auth.ts';
import { get, post, type Route } from './route.ts';

const noRegistry = (what: string) => (): never => {
  throw notImplemented(`${what} needs a registry transport that can do it, and none is loaded`);
};

async function login(call: Call): Promise<void> {
  const { username, password, serveraddress, identitytoken, registrytoken } = await call.json(registryAuth);
  const auth = {
    username,
    password,
    serverAddress: serveraddress,
    identityToken: identitytoken || undefined,
    registryToken: registrytoken || undefined,
  };
  await call.engine.registries.login(withoutAbsent(auth), { signal: call.signal });
  // The CLI keeps what the user typed, by itself or by a credential helper.
  call.send({ Status: 'Login Succeeded', IdentityToken: '' });
}

async function inspectRemote(call: Call): Promise<void> {
  const options = withoutAbsent({ auth: authOf(call), signal: call.signal });
  const { descriptor, platforms } = await call.engine.images.inspectRemote(call.param('name'), options);
  call.send({ Descriptor: descriptor, Platforms: platforms });
}

/** Questions to a registry, and those that the engine has no driver for. */
export const registryRoutes: readonly Route[] = [
  post('/auth', login),
  get('/distribution/:name/json', inspectRemote),
  get('/images/search', noRegistry('searching for images')),
];

import { registryAuth } from '../bodies/objects.ts';
import { withoutAbsent } from '../http/absent.ts';
import type { Call } from '../http/call.ts';
import { fromRegistry } from '../http/from-registry.ts';
import { authOf } from '../http/registry-auth.ts';
import { get, post, type Route } from './route.ts';

async function login(call: Call): Promise<void> {
  const { username, password, serveraddress, identitytoken, registrytoken } = await call.json(registryAuth);
  const auth = {
    username,
    password,
    serverAddress: serveraddress,
    identityToken: identitytoken || undefined,
    registryToken: registrytoken || undefined,
  };
  await fromRegistry(call.engine.registries.login(withoutAbsent(auth), { signal: call.signal }));
  // The CLI keeps what the user typed, by itself or by a credential helper.
  call.send({ Status: 'Login Succeeded', IdentityToken: '' });
}

async function inspectRemote(call: Call): Promise<void> {
  const options = withoutAbsent({ auth: authOf(call), signal: call.signal });
  const { descriptor, platforms } = await fromRegistry(call.engine.images.inspectRemote(call.param('name'), options));
  call.send({ Descriptor: descriptor, Platforms: platforms });
}

/** The engine reads a limit of 0 as Docker's older clients mean it: the usual one. */
async function search(call: Call): Promise<void> {
  const { query, signal } = call;
  const options = withoutAbsent({ limit: query.integer('limit') || undefined, filters: query.filters(), auth: authOf(call), signal });
  const found = await fromRegistry(call.engine.registries.search(query.text('term'), options));
  call.send(
    found.map(({ name, description, stars, isOfficial, isAutomated }) => ({
      star_count: stars,
      is_official: isOfficial,
      name,
      is_automated: isAutomated,
      description,
    })),
  );
}

/** Questions to a registry. */
export const registryRoutes: readonly Route[] = [
  post('/auth', login),
  get('/distribution/:name/json', inspectRemote),
  get('/images/search', search),
];

import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { forbidden, type GantryError, unauthorized, unavailable } from '@gantry/sdk';
import type { Place, RegistryAuth } from '@gantry/sdk/transport';
import { type Challenge, challengesOf } from './challenge.ts';
import type { Exchange } from './exchange.ts';
import { refusal } from './failures.ts';
import { checkReferral, isSameSite } from './hosts.ts';
import { readLimited } from './read-limited.ts';

export type Access = 'pull' | 'pull,push';
export interface Want {
  readonly place: Place;
  readonly access: Access;
  /** A further repository that is read. */
  readonly alsoFrom?: string;
  readonly base: URL;
  readonly signal: AbortSignal;
}

const maxTokenAnswerBytes = 1024 * 1024;
const defaultLifeMs = 60_000;
const mostKept = 1000;

/** What goes into Authorization: tokens that token servers gave, kept as long as they last, or a user's own credentials. */
export class Credentials {
  readonly #exchange: Exchange;
  readonly #kept = new Map<string, { readonly header: string; readonly untilMs: number }>();

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  /** What was good for the same wish before. */
  known(want: Want): string | undefined {
    const token = want.place.auth?.registryToken;
    if (token !== undefined) return `Bearer ${token}`;
    const kept = this.#kept.get(keyOf(want));
    return kept !== undefined && kept.untilMs > Date.now() ? kept.header : undefined;
  }

  /** Answers a 401; `unauthorized` when there is nothing to answer it with. */
  async answer(challenged: IncomingMessage, want: Want): Promise<string> {
    const { place, base } = want;
    this.#kept.delete(keyOf(want));
    const challenges = challengesOf(challenged.headers['www-authenticate'] ?? '');
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer !== undefined) return this.#token(bearer, want);
    const basic = basicOf(place.auth);
    if (!challenges.some(({ scheme }) => scheme === 'basic')) {
      throw unauthorized(
        `registry ${base.host} wants credentials of a kind that is not known: ${challenges.map(({ scheme }) => scheme).join(', ') || 'none named'}`,
        {
          hint: 'is this a registry?',
        },
      );
    }
    if (basic === undefined) throw noCredentials(want);
    return this.#keep(want, basic, defaultLifeMs);
  }

  async #token({ parameters }: Challenge, want: Want): Promise<string> {
    const { place, base, signal } = want;
    const realm = realmOf(parameters['realm'], base);
    const basic = basicOf(place.auth);
    const { identityToken, username } = place.auth ?? {};
    if ((basic !== undefined || identityToken !== undefined) && !isSameSite(base, realm)) {
      throw forbidden(`registry ${base.host} wants credentials sent to ${realm.host}, which is another site`, {
        hint: 'log in with a token of the registry itself, or ask without credentials',
      });
    }
    const scopes = [...new Set([...scopeOf(want).split(' '), ...(parameters['scope'] ?? '').split(' ')])]
      .filter((scope) => scope !== '')
      .slice(0, 10);
    const fields = new URLSearchParams();
    if (parameters['service'] !== undefined) fields.set('service', parameters['service']);
    if (identityToken !== undefined) {
      const form = { grant_type: 'refresh_token', refresh_token: identityToken, client_id: 'gantry', scope: scopes.join(' ') };
      for (const [name, value] of Object.entries(form)) fields.set(name, value);
    } else {
      for (const scope of scopes) fields.append('scope', scope);
      if (username !== undefined) fields.set('account', username);
    }
    const question =
      identityToken === undefined
        ? { method: 'GET' as const, url: withFields(realm, fields), headers: basic === undefined ? {} : { authorization: basic } }
        : {
            method: 'POST' as const,
            url: realm,
            headers: { 'content-type': 'application/x-www-form-urlencoded' },
            body: Buffer.from(fields.toString()),
          };
    const answer = await this.#exchange.ask(question, signal);
    const body = await readLimited(this.#exchange.read(answer, { url: realm, signal }), maxTokenAnswerBytes, `token server ${realm.host}`);
    if (answer.statusCode !== 200) throw refusal(answer, body.subarray(0, 65_536), `token server ${realm.host} of registry ${base.host}`);
    const { token, lifeMs } = readToken(body, realm);
    return this.#keep(want, `Bearer ${token}`, lifeMs);
  }

  #keep(want: Want, header: string, lifeMs: number): string {
    if (this.#kept.size >= mostKept) this.#kept.clear();
    // A token that ends while it is on its way would cost a round more than a new one.
    this.#kept.set(keyOf(want), { header, untilMs: Date.now() + lifeMs - 5_000 });
    return header;
  }
}

/** What is said when the registry still wants credentials after it was given some, or there are none to give. */
export function noCredentials({ place, base }: Want): GantryError {
  const hasAny = basicOf(place.auth) !== undefined || place.auth?.identityToken !== undefined || place.auth?.registryToken !== undefined;
  const what = place.repository === '' ? '' : ` for ${place.repository}`;
  return unauthorized(
    hasAny ? `registry ${base.host} does not accept the credentials${what}` : `registry ${base.host} wants credentials${what}`,
    { hint: `log in first: gantry login ${place.host} (or docker login)` },
  );
}

/** Docker asks for plugins under a class of their own. */
function scopeOf({ place, access, alsoFrom }: Want): string {
  if (place.repository === '') return '';
  const of = `repository${place.resource === 'plugin' ? '(plugin)' : ''}`;
  return [`${of}:${place.repository}:${access}`, ...(alsoFrom === undefined ? [] : [`${of}:${alsoFrom}:pull`])].join(' ');
}

function realmOf(text: string | undefined, base: URL): URL {
  const realm = text !== undefined && URL.canParse(text) ? new URL(text) : undefined;
  if (realm === undefined)
    throw unavailable(`registry ${base.host} names no token server in its challenge`, { hint: 'is this a registry?' });
  checkReferral(base, realm, 'asks for a token at');
  if (realm.username !== '' || realm.password !== '')
    throw forbidden(`registry ${base.host} puts credentials into its token server's address`);
  return realm;
}

function withFields(realm: URL, fields: URLSearchParams): URL {
  const url = new URL(realm);
  for (const [name, value] of fields) url.searchParams.append(name, value);
  return url;
}

function readToken(body: Buffer, realm: URL): { readonly token: string; readonly lifeMs: number } {
  let answer: Readonly<Record<string, unknown>>;
  try {
    answer = Object(JSON.parse(body.toString('utf8'))) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw unavailable(`token server ${realm.host} answered no JSON`, { cause });
  }
  const token = [answer['token'], answer['access_token']].find((value) => typeof value === 'string' && value !== '');
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) throw unavailable(`token server ${realm.host} answered without a token`);
  const seconds = Number(answer['expires_in']);
  return { token, lifeMs: Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds * 1000, 3_600_000) : defaultLifeMs };
}

function basicOf(auth: RegistryAuth | undefined): string | undefined {
  if (auth?.username === undefined || auth.username === '' || auth.password === undefined) return undefined;
  return `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`;
}

/** Nobody gets what was given to another user, or for another purpose. */
function keyOf(want: Want): string {
  const { auth = {} } = want.place;
  const who = createHash('sha256')
    .update(JSON.stringify([auth.username, auth.password, auth.identityToken]))
    .digest('hex');
  return [want.base.origin, scopeOf(want), who].join(' ');
}

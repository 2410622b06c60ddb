import { invalidArgument } from '@gantry/sdk';

export interface Reference {
  /** As people write it: without docker.io and library. */
  readonly name: string;
  readonly tag?: string;
  readonly digest?: string;
}

const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const domain = String.raw`(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?`;
const grammar = new RegExp(
  String.raw`^((?:${domain}/)?${component}(?:/${component})*)(?::([\w][\w.-]{0,127}))?(?:@([a-z0-9]+:[0-9a-f]{32,}))?$`,
);
const longest = 512;

/** Takes "reg:5000/acme/nfs:1.4@sha256:…" apart; `invalid_argument` in Docker's words when it is no reference. */
export function parseReference(text: string): Reference {
  const [, name = '', tag, digest] = text.length > longest ? [] : (grammar.exec(text) ?? []);
  if (name === '') {
    const lower = grammar.test(text.toLowerCase()) && text.length <= longest;
    throw invalidArgument(`invalid reference format${lower ? `: repository name (${text.split(/[:@]/)[0]}) must be lowercase` : ''}`);
  }
  const familiar = name.replace(/^(index\.)?docker\.io\//, '').replace(/^library\/(?=[^/]+$)/, '');
  return { name: familiar, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

/** With its tag, "latest" when it has neither tag nor digest. */
export function showReference({ name, tag, digest }: Reference): string {
  const label = tag ?? (digest === undefined ? 'latest' : undefined);
  return `${name}${label === undefined ? '' : `:${label}`}${digest === undefined ? '' : `@${digest}`}`;
}

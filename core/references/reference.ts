import { invalidArgument } from '@gantry/sdk';

/** What users call an image, normalised: "busybox" is docker.io/library/busybox. */
export interface Reference {
  /** Host and port of the registry. */
  readonly domain: string;
  /** Repository in the registry: "library/busybox". */
  readonly path: string;
  readonly tag?: string;
  /** sha256:… of a manifest. */
  readonly digest?: string;
}

/**
 * Reads what users type (distribution/reference, "ParseNormalizedNamed"). Refused with `invalid_argument` in Docker's words. Adds no tag:
 * see `withDefaultTag`.
 */
export function parseReference(text: string): Reference {
  if (isHexId(text)) throw invalidArgument(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  if (text.length > maxTextLength) throw invalidArgument('invalid reference format');
  const { domain, rest } = splitDomain(text);
  const [repository = ''] = rest.split(':', 1);
  if (repository !== repository.toLowerCase()) {
    throw invalidArgument(`invalid reference format: repository name (${repository}) must be lowercase`);
  }
  const [, path, tag, digest] = restPattern.exec(rest) ?? [];
  if (path === undefined || !domainPattern.test(domain)) throw invalidArgument('invalid reference format');
  if (domain.length + 1 + path.length > maxNameLength) throw invalidArgument('repository name must not be more than 255 characters');
  if (digest !== undefined && !sha256Pattern.test(digest)) throw invalidArgument(digestComplaint(digest));
  return { domain, path, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

/** "latest" for what has neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: 'latest' } : reference;
}

/** A name to give to an image: complete, and no digest. */
export function parseTag(text: string): Reference {
  const reference = withDefaultTag(parseReference(text));
  if (reference.digest !== undefined) throw invalidArgument('refusing to create a tag with a digest reference');
  if (familiarName(reference) === 'sha256') throw invalidArgument('refusing to create an ambiguous tag using digest algorithm as name');
  return reference;
}

/** "docker.io/library/busybox": what all tags of a repository have in common. */
export function repositoryOf({ domain, path }: Reference): string {
  return `${domain}/${path}`;
}

/** The name it is stored under: repository and tag, or repository and digest; a digest makes the tag meaningless. */
export function canonicalText(reference: Reference): string {
  return repositoryOf(reference) + suffixOf(reference.digest === undefined ? reference : { digest: reference.digest });
}

/** As people know it: "busybox:latest", "localhost:5000/a:1". */
export function familiarText(reference: Reference): string {
  return familiarName(reference) + suffixOf(reference);
}

/** As people know the repository: "busybox". */
export function familiarName({ domain, path }: Reference): string {
  if (domain !== defaultDomain) return `${domain}/${path}`;
  return /^library\/[^/]+$/.test(path) ? path.slice('library/'.length) : path;
}

/** 64 hex digits: always an image id, never a name. */
export function isHexId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

const defaultDomain = 'docker.io';
const maxNameLength = 255;
// A name, a tag of 128 and the longest digest fit into half of it; regular expressions see nothing longer.
const maxTextLength = 1024;

const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const restPattern = new RegExp(
  `^(${component}(?:/${component})*)(?::(\\w[\\w.-]{0,127}))?(?:@([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$`,
);
const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const domainPattern = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);
const sha256Pattern = /^sha256:[0-9a-f]{64}$/;

function splitDomain(text: string): { readonly domain: string; readonly rest: string } {
  const slash = text.indexOf('/');
  const first = text.slice(0, Math.max(slash, 0));
  const isDomain = slash >= 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const given = isDomain ? first : defaultDomain;
  const rest = isDomain ? text.slice(slash + 1) : text;
  const domain = given === 'index.docker.io' ? defaultDomain : given;
  return { domain, rest: domain === defaultDomain && !rest.includes('/') ? `library/${rest}` : rest };
}

function suffixOf({ tag, digest }: Pick<Reference, 'tag' | 'digest'>): string {
  return (tag === undefined ? '' : `:${tag}`) + (digest === undefined ? '' : `@${digest}`);
}

function digestComplaint(digest: string): string {
  return digest.startsWith('sha256:') || /^sha(384|512):/.test(digest)
    ? 'invalid reference format: only sha256 digests of 64 lowercase hex digits are known'
    : 'unsupported digest algorithm';
}

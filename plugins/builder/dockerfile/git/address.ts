import { posix } from 'node:path';
import { invalidArgument } from '@gantry/sdk';

/** A commit of a repository, and a folder in it. */
export interface GitAddress {
  /** http://, https://, git:// or ssh://, or ssh's short form, user@host:path. */
  readonly remote: string;
  /** Branch, tag, commit or full name; '' what the repository's HEAD says. */
  readonly ref: string;
  /** '' all of it. */
  readonly subdir: string;
}

export function isGit(text: string): boolean {
  return /^(?:git|ssh):\/\/|^[\w.-]+@[^/:]+:|^https?:\/\/[^?#]+\.git(?:[?#]|$)|^github\.com\//i.test(text);
}

/** "https://host/a.git#ref:folder" and its kin. Refuses what git could take for an option, another protocol or a program to run. */
export function gitAddress(text: string): GitAddress {
  const hash = text.indexOf('#');
  const [remote, fragment] = hash < 0 ? [text, ''] : [text.slice(0, hash), text.slice(hash + 1)];
  const colon = fragment.indexOf(':');
  const [ref, subdir] = colon < 0 ? [fragment, ''] : [fragment.slice(0, colon), fragment.slice(colon + 1)];
  return { remote: remoteOf(remote), ref: refOf(ref), subdir: subdirOf(subdir) };
}

/** Without what only its owner may know. */
export function shownRemote(remote: string): string {
  return remote.replace(/^([a-z]+:\/\/)[^/@]*@/i, '$1***@').slice(0, 300);
}

/** Whose repository it is: host and port. */
export function hostOf(remote: string): string {
  return shortForm.exec(remote)?.[2]?.toLowerCase() ?? new URL(remote).host;
}

export function isBySsh(remote: string): boolean {
  return shortForm.test(remote) || /^ssh:/i.test(remote);
}

/** user@host:path, where no name begins with a dash, which ssh and git would take for an option. */
const shortForm = /^([\w.][\w.-]*)@([a-z\d][\w.-]*|\[[\da-f:]+\]):(?!\/\/)([^-].*)$/is;

/** Where the submodule of a repository lies: it may be said relative to that. */
export function submoduleRemote(parent: string, url: string): string {
  if (!/^\.\.?\//.test(url)) return remoteOf(url);
  const [, user = '', host = '', path] = shortForm.exec(parent) ?? [];
  if (path !== undefined) return remoteOf(`${user}@${host}:${posix.join(path, url).replace(/^(?:\.\.\/)+/, '')}`);
  const base = new URL(parent);
  base.pathname = posix.join(base.pathname, url);
  return remoteOf(base.href);
}

function remoteOf(text: string): string {
  if (text.length > 4096 || /[\s\p{Cc}]/u.test(text))
    throw invalidArgument(`git address ${quoted(text)} has spaces or control characters, or is too long`);
  const full = /^github\.com\//i.test(text) ? `https://${text}` : text;
  if (shortForm.test(full)) return full;
  const url = /^(?:https?|git|ssh):\/\//i.test(full) ? URL.parse(full) : null;
  if (url === null) throw invalidArgument(`git address ${quoted(full)} is no http, https, git or ssh address`);
  if (url.hostname === '' || url.hostname.startsWith('-')) throw invalidArgument(`git address ${quoted(full)} names no host`);
  if (url.protocol === 'ssh:' && (url.password !== '' || url.username.startsWith('-') || url.pathname.startsWith('/-')))
    throw invalidArgument(`git address ${quoted(full)} has a password, or a name that begins with a dash`);
  return full;
}

/** As git's check-ref-format has it, and nothing that makes a refspec or an option of it. */
function refOf(text: string): string {
  if (text === '') return '';
  const isBad = text.length > 250 || /^[-+/.]|[\s\p{Cc}~^:?*[\\]|\.\.|@\{|\/\/|\/\.|\.lock(?:\/|$)|[./]$/u.test(text) || text === '@';
  if (isBad) throw invalidArgument(`invalid git reference ${quoted(text)}: it is a branch, a tag or a commit`);
  return text;
}

function subdirOf(text: string): string {
  const path = posix.normalize(`/${text}`).replaceAll(/^\/+|\/+$/g, '');
  if (/\p{Cc}/u.test(path) || text.split('/').includes('..'))
    throw invalidArgument(`invalid folder ${quoted(text)} of a git repository: it lies inside it`);
  return path;
}

function quoted(text: string): string {
  return JSON.stringify(shownRemote(text).slice(0, 200));
}

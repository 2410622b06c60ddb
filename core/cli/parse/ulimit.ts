import { refuse } from './refuse.ts';

const names = 'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(' ');

export interface Ulimit {
  readonly Name: string;
  readonly Soft: number;
  readonly Hard: number;
}

/** `nofile=1024` or `nofile=1024:4096`; -1 is without limit. getrlimit(2) */
export function parseUlimit(text: string): Ulimit {
  const [, name = '', soft = '', hard = soft] = /^([a-z]+)=(-1|\d+)(?::(-1|\d+))?$/.exec(text) ?? [];
  if (name === '') throw refuse(text, 'is not a ulimit', 'write name=soft[:hard], e.g. nofile=1024:4096');
  if (!names.includes(name)) throw refuse(text, 'names no limit of Linux', `one of ${names.join(', ')}`);
  const [Soft, Hard] = [Number(soft), Number(hard)];
  if (Hard !== -1 && (Soft === -1 || Soft > Hard)) throw refuse(text, 'has a soft limit above the hard one');
  return { Name: name, Soft, Hard };
}

import { invalidArgument } from '@gantry/sdk';

/** `https://mirror:5000`, where a registry is mirrored; `invalid_argument` in Docker's words. */
export function parseMirror(text: string): URL {
  const shown = JSON.stringify(text.replace(/\/\/[^/@]*@/, '//***@').slice(0, 200));
  const refuse = (why: string) => invalidArgument(`invalid mirror: ${why}`);
  if (!/^[^:]+:\/\//.test(text)) throw refuse(`no scheme specified for ${shown}: must use either 'https://' or 'http://'`);
  if (!URL.canParse(text)) throw refuse(`${shown} is not a valid URI`);
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw refuse(`unsupported scheme "${url.protocol.slice(0, -1)}" in ${shown}: must use either 'https://' or 'http://'`);
  if (url.username !== '' || url.password !== '') throw refuse(`username/password not allowed in URI ${shown}`);
  if (url.search !== '' || url.hash !== '') throw refuse(`query or fragment at end of the URI ${shown}`);
  if (url.pathname !== '/') throw refuse(`path in the URI ${shown}: a mirror is a host, with or without a port`);
  return url;
}

import { invalidArgument } from '@gantry/sdk/errors';
import { refuse } from '../parse/refuse.ts';

/** Where the API may be served. A tcp port would give root to whoever reaches it, so it is refused. */
export function parseHost(text: string): string {
  if (text.startsWith('tcp://') || /^:?\d+$|^[^/]+:\d+$/.test(text)) {
    throw invalidArgument(`${JSON.stringify(text)} is refused: whoever reaches an open port becomes root of this machine`, {
      hint: 'serve a unix socket; from elsewhere use ssh: ssh -L /tmp/gantry.sock:/run/gantry/gantry.sock host',
    });
  }
  if (/^fd:\/\/\d*$/.test(text)) return text;
  if (text.startsWith('unix:///')) return text;
  throw refuse(text, 'is not a host', 'unix:///path or fd://');
}

export function parseStoragePath(text: string): string {
  if (!text.startsWith('/') || text === '/' || text.includes('\0')) throw refuse(text, 'is not an absolute path of a folder');
  return text;
}

/** `name=path` */
export function parseRuntime(text: string): string {
  const [, name, path] = /^([a-zA-Z0-9][\w.-]*)=(\/?\S+)$/.exec(text) ?? [];
  if (name === undefined || path === undefined) throw refuse(text, 'is not a runtime', 'write name=/path/to/runtime');
  return text;
}

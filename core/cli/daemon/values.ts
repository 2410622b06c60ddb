import { invalidArgument } from '@gantry/sdk/errors';
import { parseAssignment } from '../parse/key-value.ts';
import { refuse } from '../parse/refuse.ts';

/** Where the API may be served. Whether a tcp port may be, the certificates decide: `refuseOpenPorts`. */
export function parseHost(text: string): string {
  if (/^fd:\/\/\d*$/.test(text)) return text;
  if (text.startsWith('unix:///')) return text;
  const [, name = '', port = ''] = /^tcp:\/\/(\[[0-9a-fA-F:]+\]|[^\s/:]+):(\d{1,5})$/.exec(text) ?? [];
  if (name !== '' && Number(port) > 0 && Number(port) < 65_536) return text;
  throw refuse(text, 'is not a host', 'unix:///path, fd:// or tcp://address:port');
}

/** An open port would give root to whoever reaches it. */
export function refuseOpenPorts(hosts: readonly string[]): void {
  const open = hosts.find((host) => host.startsWith('tcp://'));
  if (open === undefined) return;
  throw invalidArgument(`${JSON.stringify(open)} is refused: whoever reaches an open port becomes root of this machine`, {
    hint: 'give --tlsverify with --tlscacert, --tlscert and --tlskey, or serve a unix socket: from elsewhere ssh -L /tmp/gantry.sock:/run/gantry/gantry.sock host',
  });
}

/** Where Prometheus finds numbers: "127.0.0.1:9323". */
export function parseMetricsAddress(text: string): string {
  if (!/^(\[[0-9a-fA-F:]+\]|[^\s/:]+):\d{1,5}$/.test(text)) throw refuse(text, 'is not an address with a port', '127.0.0.1:9323');
  return text;
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

/** `base=10.10.0.0/16,size=24`; whether it can be cut so, the address driver says. */
export function parsePool(text: string): { readonly base: string; readonly size: number } {
  const fields = Object.fromEntries(text.split(',').map((pair) => parseAssignment(pair)));
  const { base = '', size = '', ...unknown } = fields;
  if (!/^[0-9a-fA-F.:]+\/\d{1,3}$/.test(base) || !/^\d{1,3}$/.test(size) || Object.keys(unknown).length > 0)
    throw refuse(text, 'is not a pool of addresses', 'write base=10.10.0.0/16,size=24');
  return { base, size: Number(size) };
}

import type { HijackCall } from '../streams/hijack.ts';
import { attach } from './containers/attach.ts';
import { startExec } from './exec.ts';

export interface HijackRoute {
  readonly method: 'GET' | 'POST';
  /** Its first group is the id. */
  readonly pattern: RegExp;
  /** What the connection becomes: `Upgrade: tcp`, or `Upgrade: websocket`. */
  readonly protocol: 'tcp' | 'websocket';
  readonly handle: (call: HijackCall) => Promise<void>;
}

/** The paths whose connection may become a byte stream. */
export const hijackRoutes: readonly HijackRoute[] = [
  { method: 'POST', pattern: /^\/containers\/([^/]+)\/attach$/, protocol: 'tcp', handle: attach },
  { method: 'GET', pattern: /^\/containers\/([^/]+)\/attach\/ws$/, protocol: 'websocket', handle: attach },
  { method: 'POST', pattern: /^\/exec\/([^/]+)\/start$/, protocol: 'tcp', handle: startExec },
];

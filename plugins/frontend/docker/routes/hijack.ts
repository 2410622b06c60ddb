import type { HijackCall } from '../streams/hijack.ts';
import { openSession, serveGrpc } from './build.ts';
import { attach } from './containers/attach.ts';
import { startExec } from './exec.ts';

export interface HijackRoute {
  readonly method: 'GET' | 'POST';
  /** Its first group is the id. */
  readonly pattern: RegExp;
  /** What the connection becomes: `Upgrade: tcp`, `websocket`, or `h2c` for gRPC. */
  readonly protocol: 'tcp' | 'websocket' | 'h2c';
  readonly handle: (call: HijackCall) => Promise<void> | void;
}

/** The paths whose connection may become a byte stream. */
export const hijackRoutes: readonly HijackRoute[] = [
  { method: 'POST', pattern: /^\/containers\/([^/]+)\/attach$/, protocol: 'tcp', handle: attach },
  { method: 'GET', pattern: /^\/containers\/([^/]+)\/attach\/ws$/, protocol: 'websocket', handle: attach },
  { method: 'POST', pattern: /^\/exec\/([^/]+)\/start$/, protocol: 'tcp', handle: startExec },
  { method: 'POST', pattern: /^\/(grpc)$/, protocol: 'h2c', handle: serveGrpc },
  { method: 'POST', pattern: /^\/(session)$/, protocol: 'h2c', handle: openSession },
];

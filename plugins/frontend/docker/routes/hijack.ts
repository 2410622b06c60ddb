import type { HijackCall } from '../streams/hijack.ts';
import { attach } from './containers/attach.ts';
import { startExec } from './exec.ts';

/** The paths whose connection may become a byte stream. The first group of a pattern is the id. */
export const hijackRoutes: readonly { readonly pattern: RegExp; readonly handle: (call: HijackCall) => Promise<void> }[] = [
  { pattern: /^\/containers\/([^/]+)\/attach$/, handle: attach },
  { pattern: /^\/exec\/([^/]+)\/start$/, handle: startExec },
];

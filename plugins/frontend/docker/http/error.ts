import type { ServerResponse } from 'node:http';
import { commonHeaders } from './headers.ts';

/** Docker's error answer; a client that is gone gets none. */
export function sendError(response: ServerResponse, status: number, message: string): void {
  if (response.destroyed) return;
  const body = `${JSON.stringify({ message })}\n`;
  response.writeHead(status, [...commonHeaders, 'Content-Type', 'application/json', 'Content-Length', String(Buffer.byteLength(body))]);
  response.end(body);
}

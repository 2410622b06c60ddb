import { STATUS_CODES } from 'node:http';
import { commonHeaders } from '../http/headers.ts';

/** The head of a response that goes straight onto a socket. */
export function statusHead(status: string, headers: readonly string[]): string {
  let head = `HTTP/1.1 ${status}\r\n`;
  for (let index = 0; index < headers.length; index += 2) head += `${headers[index]}: ${headers[index + 1]}\r\n`;
  return `${head}\r\n`;
}

/** A whole error answer for a socket. */
export function errorHead(status: number, message: string): string {
  const body = `${JSON.stringify({ message })}\n`;
  const headers = [
    ...commonHeaders,
    'Content-Type',
    'application/json',
    'Content-Length',
    String(Buffer.byteLength(body)),
    'Connection',
    'close',
  ];
  return statusHead(`${status} ${STATUS_CODES[status] ?? 'Error'}`, headers) + body;
}

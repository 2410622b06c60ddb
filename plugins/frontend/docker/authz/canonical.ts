import { invalidArgument } from '@gantry/sdk';

/**
 * The request target in the one form that authz drivers see and that is carried out: letters, digits and -._~ of the path are not
 * percent-encoded (RFC 3986 section 6.2.2.2), since a router decodes them where a driver's pattern would not. A "#" ends a path for some
 * readers and not for others: refused.
 */
export function canonicalTarget(url: string): string {
  if (url.includes('#')) throw invalidArgument('the request target contains "#"');
  const queryAt = url.indexOf('?');
  const path = queryAt < 0 ? url : url.slice(0, queryAt);
  return path.replace(/%([0-9a-f]{2})/gi, decodeUnreserved) + (queryAt < 0 ? '' : url.slice(queryAt));
}

function decodeUnreserved(encoded: string, hex: string): string {
  const character = String.fromCharCode(Number.parseInt(hex, 16));
  return /[\w.~-]/.test(character) ? character : encoded.toUpperCase();
}

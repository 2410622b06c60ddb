/** A path: text, or bytes where a name is not UTF-8. */
export type Path = string | Uint8Array;

/** The path as C wants it. Refuses a NUL inside, which would silently cut the path short; an attacker chooses some of our paths. */
export function cPath(path: Path): string | Uint8Array {
  if (typeof path === 'string') {
    if (path.includes('\0')) throw nulInside(path);
    return path;
  }
  if (path.includes(0)) throw nulInside(Buffer.from(path).toString());
  const terminated = Buffer.allocUnsafe(path.length + 1);
  terminated.set(path);
  terminated[path.length] = 0;
  return terminated;
}

function nulInside(text: string): Error {
  const shown = JSON.stringify(text);
  return Object.assign(new TypeError(`the path ${shown} has a NUL byte inside`), { code: 'ERR_INVALID_ARG_VALUE' });
}

import { dataLoss } from '../errors.ts';

/** As JSON.parse takes it; the context has the number as it was written. */
export type Reviver = (this: unknown, key: string, value: unknown, context?: { readonly source?: string }) => unknown;

const maxLineBytes = 16 * 1024 * 1024;

/** One value per line of JSON; empty lines are skipped. A line that is not JSON, or longer than 16 MiB, is `data_loss`. */
export async function* jsonLines<T>(stream: AsyncIterable<Buffer>, reviver?: Reviver): AsyncGenerator<T> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  for await (const bytes of stream) {
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      const line = Buffer.concat([...rest, bytes.subarray(start, end)]);
      rest = [];
      restBytes = 0;
      start = end + 1;
      if (isMore(line)) yield parseLine<T>(line, reviver);
    }
    if (start < bytes.length) rest.push(bytes.subarray(start));
    restBytes += bytes.length - start;
    if (restBytes > maxLineBytes) throw dataLoss('the server sent a line of JSON longer than 16 MiB');
  }
  const last = Buffer.concat(rest);
  if (isMore(last)) yield parseLine<T>(last, reviver);
}

/** Line ends of the other kind, and nothing, are skipped. */
function isMore(line: Buffer): boolean {
  return line.length > 1 || (line.length === 1 && line[0] !== 13);
}

function parseLine<T>(line: Buffer, reviver: Reviver | undefined): T {
  const text = line.toString('utf8').trim();
  try {
    const value: T = JSON.parse(text, reviver);
    return value;
  } catch (cause) {
    throw dataLoss(`the server sent a line that is not JSON: ${text.slice(0, 120)}`, { cause });
  }
}

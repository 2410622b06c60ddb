import { appendFileSync, createReadStream, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { log } from '@gantry/sdk/author';
import type { ContainerInfo, Entry } from '@gantry/sdk/log';

interface Kept {
  readonly time: Entry['time'];
  readonly source: Entry['source'];
  readonly text: string;
}

/** Lines in a file for each container. */
export const logs = log({
  name: 'every',
  write({ entries }, { container, host }) {
    const lines = entries.map(({ at, source, text }) => JSON.stringify({ time: at, source, text } satisfies Kept));
    appendFileSync(fileOf(host.dataDir, container), lines.map((line) => `${line}\n`).join(''));
  },
  async *read({ container, tail, follow }, { host, signal }) {
    const file = fileOf(host.dataDir, container);
    let seen = 0;
    do {
      const kept = existsSync(file) ? await Array.fromAsync(createInterface(createReadStream(file))) : [];
      const from = seen === 0 && tail !== undefined ? Math.max(0, kept.length - tail) : seen;
      yield { entries: kept.slice(from).map((line) => entryOf(JSON.parse(line) as Kept)) };
      seen = kept.length;
      if (follow) await sleep(50, undefined, { signal }).catch(() => {});
    } while (follow && !signal.aborted);
  },
  purge: ({ container }, { host }) => rmSync(fileOf(host.dataDir, container), { force: true }),
});

function entryOf({ time, source, text }: Kept): Entry {
  return { time, source, line: Buffer.from(text), partial: false };
}

function fileOf(dataDir: string, { id }: ContainerInfo): string {
  return join(dataDir, `${id}.log`);
}

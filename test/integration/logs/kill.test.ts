import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { randomId } from '../../../core/support/index.ts';

const engine = join(import.meta.dirname, '../../support/log-engine.ts');

for (const maxSize of [undefined, '20k']) {
  test(`Logs neither loses nor repeats a line in json-file${maxSize === undefined ? '' : ' with rotation'} when the engine is killed again and again`, async () => {
    const root = mkdtempSync(join(tmpdir(), 'logs-'));
    try {
      const id = randomId();
      const spool = join(root, 'spool', id);
      mkdirSync(spool, { recursive: true });
      let written = 0;
      const write = (count: number): void => {
        const lines = Array.from({ length: count }, () => `2026-01-01T00:00:00.000000001+00:00 stdout F line ${(written += 1)}\n`);
        appendFileSync(join(spool, 'ctr.log'), lines.join(''));
      };
      for (let life = 0; life < 8; life += 1) {
        const child = spawn(process.execPath, [...process.execArgv, engine, root, id, ...(maxSize === undefined ? [] : [maxSize])]);
        const dead = once(child, 'exit');
        await once(child.stdout, 'data');
        // Shorter and longer than it takes until the cursor is saved.
        const until = performance.now() + 60 + life * 190;
        while (performance.now() < until) {
          write(1 + (written % 40));
          await sleep(2);
        }
        child.kill('SIGKILL');
        await dead;
        write(5);
      }
      const child = spawn(process.execPath, [...process.execArgv, engine, root, id, ...(maxSize === undefined ? [] : [maxSize])]);
      const dead = once(child, 'exit');
      for (let tries = 0; tries < 200 && countStored(root, id) < written; tries += 1) await sleep(25);
      child.kill('SIGKILL');
      await dead;
      const stored = storedLines(root, id);
      const wrong = stored.findIndex((line, index) => line !== `line ${index + 1}\n`);
      assert.deepEqual([stored.length, wrong, stored[wrong]], [written, -1, undefined]);
    } finally {
      rmSync(root, { recursive: true });
    }
  });
}

/** While files are renamed under our feet. */
function countStored(root: string, id: string): number {
  try {
    return storedLines(root, id).length;
  } catch {
    return 0;
  }
}

function storedLines(root: string, id: string): readonly string[] {
  const dir = join(root, id);
  const names = readdirSync(dir).filter((name) => /\.log(\.\d+)?$/.test(name));
  return names
    .toSorted((a, b) => number(b) - number(a))
    .flatMap((name) => readFileSync(join(dir, name), 'utf8').trimEnd().split('\n'))
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { log: string }).log);
}

function number(name: string): number {
  return Number(/\.(\d+)$/.exec(name)?.[1] ?? 0);
}

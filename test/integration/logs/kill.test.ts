import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { randomId } from '../../../core/support/index.ts';

const engine = join(import.meta.dirname, '../../support/engine/log-engine.ts');

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

/** Where a container's run ended and its next began: the kill hits when the last thing done is not noted yet. */
for (const terms of ['log.ack=1*kill', 'log.ack=1*off->1*kill', 'log.spool.delivered=1*kill', 'log.spool.emptied=1*kill']) {
  test(`Logs neither loses nor repeats a line when the engine is killed between two runs of a container, at ${terms}`, async () => {
    const root = mkdtempSync(join(tmpdir(), 'logs-'));
    try {
      const id = randomId();
      const spool = join(root, 'spool', id);
      mkdirSync(spool, { recursive: true });
      const write = (text: string): void =>
        appendFileSync(join(spool, 'ctr.log'), `2026-01-01T00:00:00.000000001+00:00 stdout F ${text}\n`);
      const open = async (env: Readonly<Record<string, string>>) => {
        const child = spawn(process.execPath, [...process.execArgv, engine, root, id], { env: { ...process.env, ...env } });
        const dead = once(child, 'exit');
        child.stdin.on('error', () => {});
        await Promise.race([once(child.stdout, 'data'), dead]);
        return { child, dead };
      };
      write('first run');
      const doomed = await open({ GANTRY_FAILPOINTS: terms });
      doomed.child.stdin.write('end\n');
      await Promise.race([once(doomed.child.stdout, 'data'), doomed.dead]);
      write('second run');
      doomed.child.stdin.write('run\n');
      await doomed.dead;
      assert.equal(doomed.child.signalCode, 'SIGKILL');
      const next = await open({});
      for (let tries = 0; tries < 200 && countStored(root, id) < 2; tries += 1) await sleep(25);
      write('still the second run');
      for (let tries = 0; tries < 200 && countStored(root, id) < 3; tries += 1) await sleep(25);
      next.child.kill('SIGKILL');
      await next.dead;
      assert.deepEqual(storedLines(root, id), ['first run\n', 'second run\n', 'still the second run\n']);
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

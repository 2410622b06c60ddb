import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const engine = join(import.meta.dirname, '../../support/engine/volume-engine.ts');

for (const point of ['volume.create.plugin.call', 'volume.create.meta.txn']) {
  test(`a volume is not there, and can be made, after a kill at ${point}`, () => {
    inFolder((root) => {
      assert.equal(run(root, 'create', `${point}=1*kill`).signal, 'SIGKILL');
      assert.equal(run(root, 'reconcile').stdout, '');
      assert.deepEqual(readdirSync(join(root, 'local')), []);
      assert.equal(run(root, 'create').stdout, 'data');
    });
  });
}

for (const point of ['volume.rm.plugin.call', 'volume.rm.meta.txn']) {
  test(`a volume that was to be removed is gone after a kill at ${point} and a restart`, () => {
    inFolder((root) => {
      run(root, 'create');
      assert.equal(run(root, 'remove', `${point}=1*kill`).signal, 'SIGKILL');
      assert.equal(run(root, 'reconcile').stdout, '');
      assert.deepEqual(readdirSync(join(root, 'local')), []);
      assert.equal(run(root, 'create').stdout, 'data');
    });
  });
}

for (const [point, name] of [
  ['volume.rename.plugin.call', 'data'],
  ['volume.rename.meta.txn', 'other'],
] as const) {
  test(`a volume that was to be renamed has one name, ${name}, after a kill at ${point} and a restart`, () => {
    inFolder((root) => {
      run(root, 'folder');
      writeFileSync(join(root, 'local', 'data', '_data', 'file'), 'kept');
      assert.equal(run(root, 'rename', `${point}=1*kill`).signal, 'SIGKILL');
      assert.equal(run(root, 'reconcile').stdout, name);
      assert.deepEqual(readdirSync(join(root, 'local')), [name]);
      assert.equal(readFileSync(join(root, 'local', name, '_data', 'file'), 'utf8'), 'kept');
      if (name === 'data') assert.equal(run(root, 'rename').stdout, 'other');
    });
  });
}

test('a volume that was being cloned is not there after a kill and a restart, and the other one is', () => {
  inFolder((root) => {
    run(root, 'folder');
    assert.equal(run(root, 'clone', 'volume.create.meta.txn=1*kill').signal, 'SIGKILL');
    assert.equal(run(root, 'reconcile').stdout, 'data');
    assert.deepEqual(readdirSync(join(root, 'local')), ['data']);
    assert.equal(run(root, 'clone').stdout, 'data other');
  });
});

test('a volume that cannot be renamed keeps its name', () => {
  inFolder((root) => {
    run(root, 'folder');
    assert.equal(run(root, 'rename', 'volume.rename.plugin.call=1*error(EIO)').status, 1);
    assert.equal(run(root, 'rename').stdout, 'other');
  });
});

test('a volume that cannot be removed stays usable', () => {
  inFolder((root) => {
    run(root, 'create');
    assert.equal(run(root, 'remove', 'volume.rm.plugin.call=1*error(EIO)').status, 1);
    assert.equal(run(root, 'reconcile').stdout, 'data');
    assert.equal(run(root, 'remove').stdout, '');
  });
});

function run(root: string, verb: string, failpoints = '') {
  const env = { ...process.env, GANTRY_FAILPOINTS: failpoints };
  return spawnSync(process.execPath, [...process.execArgv, engine, root, verb], { env, encoding: 'utf8' });
}

function inFolder(work: (root: string) => void): void {
  const root = mkdtempSync(join(tmpdir(), 'volumes-'));
  try {
    work(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

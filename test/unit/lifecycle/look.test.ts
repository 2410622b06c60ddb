import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selectProcesses } from '../../../core/lifecycle/look/top.ts';
import { cgroupsPath } from '../../../core/lifecycle/start/cgroups-path.ts';
import { knownVulnerability } from '../../../plugins/exec/oci/vulnerable.ts';

test('selectProcesses() keeps the container’s rows and gives the last column the rest of the line', () => {
  const text = 'UID   PID  PPID CMD\nroot    1     0 /sbin/init splash\nroot   42     1 sh -c "sleep 1"\n';
  assert.deepEqual(selectProcesses(text, new Set([42])), {
    titles: ['UID', 'PID', 'PPID', 'CMD'],
    processes: [['root', '42', '1', 'sh -c "sleep 1"']],
  });
  assert.throws(() => selectProcesses('USER CMD\n', new Set()), { code: 'invalid_argument', message: /couldn't find PID field/ });
});

test('cgroupsPath() stays below its parent and refuses what could lead out', () => {
  assert.equal(cgroupsPath('', 'abc'), '/gantry/abc');
  assert.equal(cgroupsPath('/mine/deep/', 'abc'), '/mine/deep/abc');
  for (const parent of ['../up', 'a b', 'a\nb']) assert.throws(() => cgroupsPath(parent, 'abc'), { code: 'invalid_argument' });
});

for (const { kind, version, isOld } of [
  { kind: 'runc', version: '1.1.5+ds1', isOld: true },
  { kind: 'runc', version: '1.2.8', isOld: false },
  { kind: 'runc', version: '1.3.2', isOld: true },
  { kind: 'runc', version: '1.4.0', isOld: false },
  { kind: 'crun', version: '1.8.1', isOld: true },
  { kind: 'crun', version: '1.21', isOld: false },
  { kind: 'other', version: '0.1', isOld: false },
] as const) {
  test(`knownVulnerability() of ${kind} ${version} is ${isOld ? 'a warning' : 'nothing'}`, () => {
    assert.equal(knownVulnerability(kind, version) !== undefined, isOld);
  });
}

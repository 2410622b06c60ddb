import assert from 'node:assert/strict';
import { test } from 'node:test';
import { examineTools, familyOf } from '../../../core/cli/verbs/system/doctor/tools.ts';
import { examineUserNamespaces } from '../../../core/cli/verbs/system/doctor/user-namespaces.ts';

test('examineTools() fails for what is needed, warns of what is not, and says how to get it', () => {
  const why = 'nothing goes without it';
  const packages = { all: 'nosuch' };
  const [missing, optional, there] = examineTools([
    { needs: ['nosuchprogram', 'nosuchother'], why, packages },
    { needs: ['nosuchprogram'], why, packages, isOptional: true },
    { needs: ['sh'], why, packages },
  ]);
  assert.deepEqual([missing?.level, missing?.message], ['fail', 'is missing: nothing goes without it']);
  assert.match(missing?.fix ?? '', /nosuch/);
  assert.equal(missing?.about, 'nosuchprogram or nosuchother');
  assert.deepEqual([optional?.level, there], ['warn', { level: 'ok', about: 'sh', message: 'is there' }]);
});

test('familyOf() knows distributions by what they are and what they are like', () => {
  const rows = [
    ['ID=debian\n', 'debian'],
    ['ID=linuxmint\nID_LIKE="ubuntu debian"\n', 'debian'],
    ['ID="rocky"\nID_LIKE="rhel centos fedora"\n', 'fedora'],
    ['ID=alpine\n', 'alpine'],
    ['ID=arch\n', undefined],
    ['', undefined],
  ] as const;
  for (const [text, family] of rows) assert.equal(familyOf(text), family, text);
});

test('examineUserNamespaces() warns of what userns-remap lacks, and fails where it is wanted', () => {
  const able = { kernel: '6.1.0-9-amd64', hasThem: true, most: 100, hasPrograms: true };
  const rows = [
    ['', {}, 'ok', /userns-remap can be used/],
    ['', { hasThem: false }, 'warn', /the kernel has none/],
    ['x', { hasThem: false }, 'fail', /the kernel has none/],
    ['', { most: 0 }, 'warn', /none may be made/],
    ['x', { hasPrograms: false }, 'fail', /nsenter is missing/],
    ['x', { kernel: '5.18.1' }, 'fail', /Linux 5.18.1 maps no owners below an overlay/],
    ['nobody-of-that-name', {}, 'fail', /there is no user nobody-of-that-name/],
    ['default', {}, 'ok', /(gantryd makes the user dockremap when it starts: |^)root of containers is (then )?\d+:\d+/],
  ] as const;
  for (const [wish, lacking, level, message] of rows) {
    const found = examineUserNamespaces(wish, { ...able, ...lacking });
    assert.equal(found.level, level);
    assert.match(found.message, message);
  }
});

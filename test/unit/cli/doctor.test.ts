import assert from 'node:assert/strict';
import { test } from 'node:test';
import { examineTools, familyOf } from '../../../core/cli/verbs/system/doctor/tools.ts';

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

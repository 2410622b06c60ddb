import assert from 'node:assert/strict';
import { test } from 'node:test';
import { procsFile } from '../../../core/lifecycle/start/cgroup-moves.ts';

const v2 = { type: 'cgroup2', root: '/', superOptions: 'rw,nsdelegate', mountPoint: '/sys/fs/cgroup' };
const hybrid = { ...v2, mountPoint: '/sys/fs/cgroup/unified' };
const cpu = { type: 'cgroup', root: '/', superOptions: 'rw,cpu,cpuacct', mountPoint: '/sys/fs/cgroup/cpu,cpuacct' };
const systemd = { type: 'cgroup', root: '/', superOptions: 'rw,name=systemd', mountPoint: '/sys/fs/cgroup/systemd' };

const cases = [
  { name: 'cgroup v2', groups: '0::/system.slice/a.service\n', mounts: [v2], file: '/sys/fs/cgroup/system.slice/a.service/cgroup.procs' },
  { name: 'the root group', groups: '0::/\n', mounts: [v2], file: '/sys/fs/cgroup/cgroup.procs' },
  { name: 'cgroup v1', groups: '4:cpu,cpuacct:/a\n', mounts: [cpu], file: '/sys/fs/cgroup/cpu,cpuacct/a/cgroup.procs' },
  { name: 'a named hierarchy', groups: '1:name=systemd:/b\n0::/\n', mounts: [cpu, systemd], file: '/sys/fs/cgroup/systemd/b/cgroup.procs' },
  { name: 'what is not mounted', groups: '2:pids:/a\n0::/c\n', mounts: [cpu, hybrid], file: '/sys/fs/cgroup/unified/c/cgroup.procs' },
  { name: 'a part of the tree', groups: '0::/d\n', mounts: [{ ...v2, root: '/d' }], file: '/sys/fs/cgroup/cgroup.procs' },
  { name: 'nothing', groups: '', mounts: [], file: '/sys/fs/cgroup/cgroup.procs' },
] as const;

for (const { name, groups, mounts, file } of cases)
  test(`the engine's own list of processes: ${name}`, () => {
    assert.equal(procsFile(groups, mounts), file);
  });

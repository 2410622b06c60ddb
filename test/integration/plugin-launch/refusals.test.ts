import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { LaunchRequest } from '../../../core/plugin-launch/index.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { pluginGroups, Stage } from './stage.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });
leakGuard();

/** Where a row needs the stage's folder it says FOLDER. */
const rows: readonly (readonly [title: string, change: Partial<LaunchRequest>, code: string, message: RegExp])[] = [
  ['no program', { argv: [] }, 'invalid_argument', /program "" is no absolute path/],
  ['a relative program', { argv: ['sh'] }, 'invalid_argument', /program "sh" is no absolute path/],
  ['a NUL in an argument', { argv: ['/bin/sh', 'a\0b'] }, 'invalid_argument', /argument has a NUL/],
  ['a NUL in a variable', { env: { A: 'x\0y' } }, 'invalid_argument', /variable "A"/],
  ['a variable with =', { env: { 'A=B': 'x' } }, 'invalid_argument', /variable "A=B"/],
  ['a missing program', { argv: ['/no/such/thing', 'x'] }, 'not_found', /program \/no\/such\/thing is not there/],
  ['a program outside of the sandbox', { argv: ['/root/.profile'] }, 'not_found', /program \/root\/\.profile is not there/],
  ['a program that is no program', { argv: ['/etc/passwd'] }, 'forbidden', /program \/etc\/passwd may not be executed/],
  ['a program without its interpreter', { argv: ['FOLDER/code/lost'] }, 'not_found', /lost cannot be started: ENOENT/],
  ['a program in a strange format', { argv: ['FOLDER/code/strange'] }, 'invalid_argument', /strange cannot be started: ENOEXEC/],
  ['a folder as program', { argv: ['/usr'] }, 'forbidden', /\/usr cannot be started: EACCES/],
  ['a missing working directory', { cwd: '/nowhere' }, 'not_found', /working directory \/nowhere is not there/],
  ['a relative working directory', { cwd: 'data' }, 'invalid_argument', /cwd "data"/],
  ['a missing code folder', { codeDir: '/nowhere' }, 'not_found', /folder \/nowhere is not there/],
  ['a file as data folder', { dataDir: 'FOLDER/code/lost' }, 'invalid_argument', /lost is no folder/],
  ['the root as run folder', { runDir: '/' }, 'invalid_argument', /runDir "\/"/],
  ['a path with ..', { dataDir: '/run/../etc' }, 'invalid_argument', /dataDir/],
  ['code that is data', { codeDir: 'FOLDER/data' }, 'invalid_argument', /would be its to write/],
  ['a missing readable path', { readablePaths: ['/nowhere/lib'] }, 'not_found', /path \/nowhere\/lib is not there/],
  ['the root as readable path', { readablePaths: ['/'] }, 'invalid_argument', /path "\/"/],
  ['a missing device', { privileges: { devices: ['/dev/nothing'] } }, 'not_found', /device \/dev\/nothing is not there/],
  ['an unknown capability', { privileges: { capabilities: ['CAP_FLY'] } }, 'invalid_argument', /no capability CAP_FLY/],
  ['root without the privilege', { uid: 0, gid: 0 }, 'invalid_argument', /may not run as root/],
  ['a user for root', { uid: 5, privileges: { user: 'root' } }, 'invalid_argument', /as root, not as user 5/],
  ['a negative user', { uid: -1 }, 'invalid_argument', /user -1/],
  ['a user that means nobody to the kernel', { uid: 0xffffffff }, 'invalid_argument', /user 4294967295/],
  ['no memory', { resources: { memoryBytes: 0, pids: 5 } }, 'invalid_argument', /0 bytes of memory/],
  ['no processes', { resources: { memoryBytes: 1 << 26, pids: 0 } }, 'invalid_argument', /0 processes/],
  ['no CPU', { resources: { memoryBytes: 1 << 26, pids: 5, cpus: 0 } }, 'invalid_argument', /0 CPUs/],
  ['an instance that climbs', { instance: '../../x' }, 'invalid_argument', /cannot name a cgroup/],
  ['a cgroup parent that climbs', { cgroupParent: 'a/../..' }, 'invalid_argument', /cgroup parent/],
  ['an absolute cgroup parent', { cgroupParent: '/a' }, 'invalid_argument', /cgroup parent/],
  ['an unconfined missing program', { argv: ['/no/thing'], uid: 0, gid: 0, privileges: { unconfined: true } }, 'not_found', /\/no\/thing/],
];

for (const [title, change, code, message] of rows) {
  test(`launch() refuses ${title}, names it, and leaves nothing`, async () => {
    using stage = new Stage();
    writeFileSync(join(stage.folder, 'code/lost'), '#!/no/interpreter\n', { mode: 0o755 });
    writeFileSync(join(stage.folder, 'code/strange'), Buffer.alloc(100, 7), { mode: 0o755 });
    const filled = JSON.parse(JSON.stringify(change).replaceAll('FOLDER', stage.folder)) as Partial<LaunchRequest>;
    const launching = stage.launch('sleep 1000', filled);
    await assert.rejects(launching, (error: Error & { readonly code?: string }) => {
      assert.deepEqual([error.code, message.test(error.message)], [code, true], error.message);
      assert.match(error.message, /^plugin acme\.test: /);
      return true;
    });
    assert.equal(existsSync(pluginGroups), false);
  });
}

import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mountOverlay } from '@gantry/sdk/linux';

/** Gives /etc dockerd's user dockremap, as on a machine where dockerd ran with userns-remap: its root is 300000:500000. Only inside `inNamespaces`. */
export function withRemapUser(): void {
  withoutRemapUser();
  appendFileSync('/etc/passwd', 'dockremap:x:48998:48997::/:/bin/false\n');
  appendFileSync('/etc/group', 'dockremap:x:48997:\n');
  writeFileSync('/etc/subuid', 'dockremap:300000:65536\n');
  writeFileSync('/etc/subgid', 'dockremap:500000:65536\n');
}

/** An /etc of the test's own, as on a machine where nothing has used user namespaces. Only inside `inNamespaces`. */
export function withoutRemapUser(): void {
  const folder = mkdtempSync(join(tmpdir(), 'etc-'));
  const [upper, work] = [join(folder, 'upper'), join(folder, 'work')];
  for (const path of [upper, work]) mkdirSync(path);
  mountOverlay({ lower: ['/etc'], upper, work, target: '/etc' });
  for (const file of ['/etc/passwd', '/etc/group', '/etc/shadow', '/etc/gshadow']) {
    const kept = readFileSync(file, 'utf8').replaceAll(/^dockremap:.*\n/gm, '');
    writeFileSync(file, kept);
  }
  for (const file of ['/etc/subuid', '/etc/subgid']) writeFileSync(file, '');
}

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { dockerRegistry } from '../support/servers/docker-registry.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { push } from './operations/pull.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const folder = mkdtempSync(join(tmpdir(), 'registry-'));
const registry = await dockerRegistry(folder);
after(async () => {
  await registry[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

killAtEach('a push', push(registry.host));

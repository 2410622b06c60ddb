import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { PluginModule } from '@gantry/sdk';
import fluentd from '../../../plugins/log/fluentd/main.ts';
import gelf from '../../../plugins/log/gelf/main.ts';

import http from '../../../plugins/log/http/main.ts';
import loki from '../../../plugins/log/loki/main.ts';
import syslog from '../../../plugins/log/syslog/main.ts';

const modules: Readonly<Record<string, PluginModule>> = { fluentd, gelf, http, loki, syslog };

for (const [name, module] of Object.entries(modules)) {
  test(`the manifest of the ${name} log driver says what its code takes, and its README explains each option`, () => {
    const folder = join(import.meta.dirname, '../../../plugins/log', name);
    const manifest = JSON.parse(readFileSync(join(folder, 'gantry-plugin.json'), 'utf8')) as PluginModule['manifest'];
    // As JSON: the code's own has marks that only TypeScript reads.
    assert.deepEqual(manifest?.options, JSON.parse(JSON.stringify(module.manifest?.options)));
    const readme = readFileSync(join(folder, 'README.md'), 'utf8');
    const properties: unknown = manifest?.options?.log?.['properties'];
    const missing = Object.keys(properties ?? {}).filter((option) => !readme.includes(`\`${option}\``));
    assert.deepEqual(missing, []);
  });
}

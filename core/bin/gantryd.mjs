#!/usr/bin/env -S node --max-semi-space-size=1 --v8-pool-size=1 --disable-warning=ExperimentalWarning
import { fileURLToPath } from 'node:url';
import { code } from './code.mjs';
import { guard } from './guard.mjs';

await guard('gantryd', fileURLToPath(import.meta.url), async () => {
  const { main } = await import(code('core/bin/gantryd'));
  process.exitCode = await main(process.argv.slice(2));
});

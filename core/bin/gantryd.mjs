#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { guard } from './guard.mjs';

await guard('gantryd', fileURLToPath(import.meta.url), async () => {
  const { main } = await import('./gantryd.ts');
  process.exitCode = await main(process.argv.slice(2));
});

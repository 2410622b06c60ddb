#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { code } from './code.mjs';
import { guard } from './guard.mjs';
import { optimiseLater } from './optimiser.mjs';

await guard('gantry', fileURLToPath(import.meta.url), async () => {
  const { main } = await import(code('core/cli/index'));
  // Only now: it makes what V8 keeps compiled worthless.
  const settled = optimiseLater();
  // A reader that went away (gantry logs | head) is no failure.
  process.stdout.on('error', () => void settled().then(() => process.exit(0)));
  process.stderr.on('error', () => undefined);
  const status = await main(process.argv.slice(2));
  // To a pipe Node writes when the reader lets it: what has not gone yet would end with us.
  for (const stream of [process.stdout, process.stderr]) await new Promise((resolve) => stream.write('', resolve));
  await settled();
  // Waits and streams that nobody needs any more would keep the process alive.
  process.exit(status);
});

#!/usr/bin/env node
// Plain JavaScript, so that an older Node can read far enough to be told which one is needed.
const [major = 0] = process.versions.node.split('.').map(Number);
if (major < 24) {
  process.stderr.write(
    `gantry-sdk needs Node.js 24 or later; this is ${process.version}\nhint: npx -p node@24 -p @gantry/sdk gantry-sdk …\n`,
  );
  process.exit(1);
}
const { existsSync } = await import('node:fs');
const source = new URL('./index.ts', import.meta.url);
const { main } = await import(existsSync(source) ? source.href : new URL('./index.js', import.meta.url).href);
process.exitCode = await main(process.argv.slice(2));

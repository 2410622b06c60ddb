import { execFileSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { protoFiles } from '../../sdk/create/protos.ts';

const top = join(import.meta.dirname, '../..');

/** Builds @gantry/sdk as the package that is published: JavaScript, declarations, the command, the protos and what new plugins are made of. What was in the folder goes. */
export function buildSdk(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  execFileSync(process.execPath, [join(top, 'node_modules/.bin/tsc'), '-p', 'sdk/tsconfig.build.json', '--outDir', folder], {
    cwd: top,
    stdio: 'inherit',
  });
  for (const path of globSync('**/*.d.ts', { cwd: folder })) edit(join(folder, path), (text) => text.replaceAll(relativeImport, '$1.js$2'));
  for (const path of globSync('**/*.js', { cwd: folder })) edit(join(folder, path), (text) => text.replaceAll(programBeside, "$1.js'"));
  for (const path of [
    'README.md',
    'command/gantry-sdk.mjs',
    'create/go',
    'create/python',
    ...globSync('*/README.md', { cwd: join(top, 'sdk') }),
  ]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    cpSync(join(top, 'sdk', path), join(folder, path), { recursive: true });
  }
  for (const [path, { text }] of Object.entries(protoFiles())) {
    mkdirSync(dirname(join(folder, 'proto', path)), { recursive: true });
    writeFileSync(join(folder, 'proto', path), text);
  }
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(packageJson(), undefined, 2)}\n`);
}

/** tsc leaves them as they were written; in a published package there are no .ts files. */
const relativeImport = /((?:from|import\() ?['"]\.[^'"]+)\.ts(['"])/g;

/** The main file of a thread: tsc does not know that it is one of ours. */
const programBeside = /(new URL\('[^']+)\.ts'(?=, import\.meta\.url)/g;

function packageJson(): object {
  const { exports, ...rest } = JSON.parse(readFileSync(join(top, 'sdk/package.json'), 'utf8')) as {
    readonly exports: Readonly<Record<string, string>>;
  };
  const built = Object.entries(exports).map(([name, path]) => {
    const base = path.replace(/\.ts$/, '');
    return [name, { types: `${base}.d.ts`, default: `${base}.js` }];
  });
  return { ...rest, private: undefined, exports: { ...Object.fromEntries(built), './package.json': './package.json' } };
}

function edit(path: string, change: (text: string) => string): void {
  writeFileSync(path, change(readFileSync(path, 'utf8')));
}

/** What an author of plugins may rely on, as one text: a change of it is a change of the SDK's version. */
export function apiOf(folder: string): string {
  const files = globSync(
    [
      '*.d.ts',
      '{author,types}/*.d.ts',
      '{volume,graph,network,ipam,log,exec}/contract.d.ts',
      'testing/{host,recording}.d.ts',
      'conformance/{index,run,opened-plugin,cases,node-test}.d.ts',
    ],
    { cwd: folder },
  );
  const parts = files.toSorted().map((path) => `// ${path}\n${withoutComments(readFileSync(join(folder, path), 'utf8'))}`);
  return parts.join('\n');
}
export const apiReport = join(import.meta.dirname, 'sdk-api.txt');

function withoutComments(text: string): string {
  return text
    .replaceAll(/^ *\/\*\*[^]*?\*\/\n/gm, '')
    .replaceAll(/^import .*\n/gm, '')
    .replaceAll(/^export \{\};\n/gm, '');
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { out: { type: 'string', default: join(top, 'out/sdk') }, 'update-api': { type: 'boolean' } } });
  buildSdk(resolve(values.out));
  if (values['update-api'] === true) writeFileSync(apiReport, apiOf(resolve(values.out)));
  console.log(`built ${values.out}`);
}

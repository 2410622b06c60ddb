import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type Abortable, invalidArgument, type Manifest, notFound } from '@gantry/sdk';
import { finishCodeFolder } from './code-folder.ts';
import { parseObject, readDocument, readManifest } from './documents.ts';
import { runNpm } from './npm-client.ts';
import type { PluginSource } from './source.ts';
import type { InstallTools } from './types.ts';
import { unpackTar } from './unpack.ts';
import { failure } from './failure.ts';

interface Work extends Abortable {
  /** Two folders that are empty and one that may be made: for the package, for npm. */
  readonly tree: string;
  readonly scratch: string;
  readonly tools: Pick<InstallTools, 'trees' | 'npm'>;
}

/** Lets npm fetch the one tarball of a package, without what it depends on; answers where it lies. */
export async function downloadPackage(
  { name, range }: Extract<PluginSource, { readonly kind: 'npm' }>,
  { scratch, tools, signal }: Omit<Work, 'tree'>,
): Promise<string> {
  const folder = join(scratch, 'packed');
  await mkdir(folder, { recursive: true });
  await runNpm(['pack', `--pack-destination=${folder}`, '--', `${name}@${range}`], { cwd: folder, scratch, npm: tools.npm, signal });
  const [file] = (await readdir(folder)).filter((entry) => entry.endsWith('.tgz'));
  if (file === undefined) throw notFound(`npm found no package ${name}@${range}`);
  return join(folder, file);
}

export interface Unpacked {
  readonly manifest: Manifest;
  /** Of the tarball. */
  readonly digest: string;
  readonly name: string;
  readonly version: string;
}

/** Unpacks a package's tarball into `tree`, and nothing else yet. */
export async function unpackPackage(file: string, { tree, scratch, tools, signal }: Work): Promise<Unpacked> {
  const hash = createHash('sha256');
  const folder = join(scratch, 'unpacked');
  await mkdir(folder, { recursive: true });
  await unpackTar(hashed(file, hash), folder, { trees: tools.trees, whiteouts: 'none', signal });
  const [top, ...others] = await readdir(folder, { withFileTypes: true });
  if (top?.isDirectory() !== true || others.length > 0) throw invalidArgument('the tarball is no npm package: it holds not one folder');
  await rm(tree, { recursive: true, force: true });
  await rename(join(folder, top.name), tree);
  const { name, version } = await packageJsonOf(tree);
  return { manifest: await readManifest(tree), digest: `sha256:${hash.digest('hex')}`, name: String(name), version: String(version) };
}

/** Lets npm add what the package depends on, told of before it does, runs no script, and makes all of it read-only. */
export async function completePackage({
  tree,
  scratch,
  tools,
  signal,
  onInstall,
}: Work & { readonly onInstall: () => void }): Promise<Manifest> {
  await rm(join(tree, 'node_modules', '@gantry', 'sdk'), { recursive: true, force: true });
  const wanted = dependenciesOf(await packageJsonOf(tree));
  const isBundled = Object.keys(wanted.dependencies).every((name) => existsSync(join(tree, 'node_modules', name)));
  if (!isBundled) onInstall();
  if (!isBundled) await installDependencies(wanted, { tree, scratch, tools, signal });
  return (await finishCodeFolder(tree, { signal })).manifest;
}

/**
 * npm works in a folder that holds nothing of the package but the list of what it depends on: an .npmrc, a workspace or an override of
 * somebody else's would tell it to do other things.
 */
async function installDependencies(wanted: Dependencies, { tree, scratch, tools, signal }: Work): Promise<void> {
  const folder = join(scratch, 'dependencies');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'dependencies', version: '1.0.0', private: true, ...wanted }));
  const args = [
    'install',
    '--omit=dev',
    '--omit=peer',
    '--legacy-peer-deps',
    '--no-package-lock',
    '--install-links=true',
    '--no-bin-links',
  ];
  await runNpm(args, { cwd: folder, scratch, npm: tools.npm, signal });
  const made = join(folder, 'node_modules');
  await rm(join(made, '@gantry', 'sdk'), { recursive: true, force: true });
  await rm(join(made, '.package-lock.json'), { force: true });
  await rm(join(tree, 'node_modules'), { recursive: true, force: true });
  if (existsSync(made)) await rename(made, join(tree, 'node_modules'));
}

interface Dependencies {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

function dependenciesOf(packageJson: Readonly<Record<string, unknown>>): Dependencies {
  return { dependencies: ranges(packageJson, 'dependencies'), optionalDependencies: ranges(packageJson, 'optionalDependencies') };
}

/** Packages of the registry only, and never the SDK. Folders, git and addresses would make npm leave the registry. */
function ranges(packageJson: Readonly<Record<string, unknown>>, field: string): Readonly<Record<string, string>> {
  const given = packageJson[field] ?? {};
  if (typeof given !== 'object') throw invalidArgument(`package.json: ${field} is no object`);
  const wanted = Object.entries(given).filter(([name]) => name !== '@gantry/sdk');
  for (const [name, range] of wanted) {
    const isPlain = typeof range === 'string' && /^(npm:(@[\w.~-]+\/)?[\w.~-]+@)?[\w.^~<>=|*+ -]*$/.test(range);
    if (!isPlain || !/^(@[\w.~-]+\/)?[\w.~-]+$/.test(name)) {
      throw invalidArgument(`package.json: ${field}.${name} is ${JSON.stringify(range)}, which is no version of a published package`, {
        hint: 'publish what the plugin depends on, or bundle it (bundleDependencies)',
      });
    }
  }
  return Object.fromEntries(wanted) as Readonly<Record<string, string>>;
}

async function packageJsonOf(folder: string): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await readDocument(folder, 'package.json');
  if (bytes === undefined) throw invalidArgument('the tarball is no npm package: it has no package.json');
  return parseObject(bytes, 'package.json');
}

async function* hashed(file: string, hash: ReturnType<typeof createHash>): AsyncIterable<Buffer> {
  try {
    for await (const chunk of createReadStream(file)) {
      hash.update(chunk as Buffer);
      yield chunk as Buffer;
    }
  } catch (error) {
    throw failure(error, `read ${file}`);
  }
}

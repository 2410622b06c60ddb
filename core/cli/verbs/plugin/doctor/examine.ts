import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Manifest } from '@gantry/sdk';
import { fromErrno, GantryError, invalidArgument, messageOf } from '@gantry/sdk/errors';
import { humanSize } from '../../../format/human.ts';
import { leftOut } from '../folder-tar.ts';
import { manifestName, readManifest } from '../manifest-file.ts';
import { checkEntry } from './entry.ts';
import { filesOf, type PluginFile, sourcesOf } from './files.ts';
import { fail, type Finding, ok, warn } from '../../../finding.ts';
import { checkUndeclared } from './undeclared.ts';

const large = 50e6;

/** Looks through a plugin's folder without running anything of it. */
export async function examine(folder: string): Promise<readonly Finding[]> {
  checkFolder(folder);
  let manifest: Manifest;
  try {
    manifest = await readManifest(folder);
  } catch (error) {
    return [
      fail('manifest', messageOf(error), existsSync(join(folder, manifestName)) ? 'correct the field' : `write ${manifestName} first`),
    ];
  }
  const { paths, problem } = await leftOutOf(folder);
  const files = filesOf(folder, paths);
  const sources = sourcesOf(folder, files);
  return [
    ok('manifest', `${manifest.name} ${manifest.version} provides ${providesOf(manifest).join(', ')}`),
    ...checkEntry(folder, manifest),
    ...problem,
    ...checkWords(manifest, sources),
    ...checkDriverNames(manifest, sources),
    ...checkUndeclared(manifest, sources),
    ...checkFiles(folder, files),
  ];
}

function checkFolder(folder: string): void {
  try {
    if (!statSync(folder).isDirectory()) throw invalidArgument(`${folder} is not a folder`);
  } catch (error) {
    throw fromErrno(error, 'cannot look into the folder');
  }
}

/** What would not be packed, and why nothing would be. */
async function leftOutOf(folder: string): Promise<{ readonly paths: ReadonlySet<string>; readonly problem: readonly Finding[] }> {
  try {
    return { paths: new Set(await leftOut(folder)), problem: [] };
  } catch (error) {
    const { message, hint = 'correct it' } = GantryError.is(error) ? error : { message: messageOf(error) };
    return { paths: new Set(['.git', 'node_modules']), problem: [fail('package.json', message, hint)] };
  }
}

/** What users will miss. */
function checkWords(
  { description = '', options, provides, settings, privileges }: Manifest,
  sources: readonly { readonly text: string }[],
): readonly Finding[] {
  const isVolume = provides.some(({ contract }) => contract === 'volume');
  const volume = isVolume && options?.volume === undefined && looksAtOptions(sources);
  return [
    ...(description === '' ? [warn('manifest', 'has no description', 'one line that says what the plugin is for')] : []),
    ...(volume
      ? [warn('manifest', 'has no schema for the options of its volumes', 'with "options": { "volume": … } a typo in -o is refused')]
      : []),
    ...(settings !== undefined && settings['properties'] === undefined
      ? [warn('manifest', 'settings is a schema without properties: nothing can be set', 'add "properties"')]
      : []),
    ...nestedSecrets(settings).map((path) =>
      warn('manifest', `settings.${path} has x-secret, which only whole settings can be: it is shown`, 'make it a setting of its own'),
    ),
    ...(privileges?.capabilities?.includes('ALL') === true
      ? [warn('manifest', 'asks for all capabilities', 'ask for those that it needs: users read the list before they agree')]
      : []),
  ];
}

/** The SDK's own way to write a driver refuses options that were not named; a driver that looks at none needs no schema of them. Of other programs nothing is known. */
function looksAtOptions(sources: readonly { readonly text: string }[]): boolean {
  const isChecked = sources.some(({ text }) => text.includes('@gantry/sdk/author'));
  return !isChecked && sources.some(({ text }) => /\boptions\b/.test(text));
}

/** Paths of what is called a secret deeper than a setting. */
function nestedSecrets(schema: unknown, path: readonly string[] = []): readonly string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const isTooDeep = path.length > 2 && Reflect.get(schema, 'x-secret') === true;
  return isTooDeep ? [path.join('.')] : Object.entries(schema).flatMap(([key, part]) => nestedSecrets(part, [...path, key]));
}

/** A driver that the manifest promises and no source names is most likely spelt in two ways. */
function checkDriverNames({ entry, provides }: Manifest, sources: readonly { readonly text: string }[]): readonly Finding[] {
  if (entry.node === undefined || sources.length === 0) return [];
  const names = provides.flatMap(({ drivers }) => drivers).filter((name) => name !== '*');
  const unnamed = names.filter((name) => !sources.some(({ text }) => text.includes(name)));
  return unnamed.map((name) => warn('manifest', `promises the driver ${name}, which no source names`, 'spell it the same in both'));
}

function checkFiles(folder: string, files: readonly PluginFile[]): readonly Finding[] {
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const size = `${files.length} files, ${humanSize(sizeBytes)}`;
  const modules = files.filter(({ path }) => path.startsWith('node_modules/')).reduce((sum, file) => sum + file.sizeBytes, 0);
  const secrets = files.filter((file) => !file.path.startsWith('node_modules/') && looksSecret(folder, file));
  return [
    sizeBytes > large
      ? warn(
          'size',
          `${size}: slow to install`,
          modules > sizeBytes / 2 ? 'bundle: most of it is node_modules' : 'leave out what is not run',
        )
      : ok('size', size),
    ...secrets.map(({ path }) => warn(path, 'looks like a secret, and would be packed', 'take it out of the folder')),
  ];
}

/** A .pem may be a list of certificates, which is for everybody. */
function looksSecret(folder: string, { path, sizeBytes, isLink }: PluginFile): boolean {
  if (!path.endsWith('.pem')) return /(^|\/)(\.env|\.npmrc|id_(rsa|ed25519))$/.test(path);
  return isLink || sizeBytes > 1e6 || readFileSync(join(folder, path), 'latin1').includes('PRIVATE KEY');
}

function providesOf({ provides }: Manifest): readonly string[] {
  return provides.flatMap(({ contract, drivers }) => drivers.map((driver) => `${contract}/${driver}`));
}

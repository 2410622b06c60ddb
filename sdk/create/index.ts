import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { conflict, invalidArgument } from '../errors.ts';
import { commonFiles } from './files.ts';
import { javascript, typescript } from './javascript.ts';
import { shell } from './shell.ts';
import type { Language, Plan } from './plan.ts';

export type { Plan } from './plan.ts';
export const pluginKinds = ['volume', 'graph', 'network', 'ipam', 'log', 'exec'] as const satisfies readonly Plan['kind'][];

/** By what is typed after --lang. */
export const languages: Readonly<Record<string, Language>> = { ts: typescript, js: javascript, sh: shell };

/** Writes a new plugin into a folder that does not exist or is empty; answers the files. Nothing is written when it fails. */
export function createPlugin(folder: string, { lang, ...plan }: Plan & { readonly lang: string }): readonly string[] {
  const language = languages[lang];
  if (language === undefined)
    throw invalidArgument(`language ${JSON.stringify(lang)}: must be one of ${Object.keys(languages).join(', ')}`);
  if (!pluginKinds.includes(plan.kind))
    throw invalidArgument(`kind ${JSON.stringify(plan.kind)}: must be one of ${pluginKinds.join(', ')}`);
  if (!/^[a-z0-9][a-z0-9_.-]{0,99}$/.test(plan.name))
    throw invalidArgument(`name ${JSON.stringify(plan.name)}: up to 100 of a-z 0-9 _ . -`);
  if (!language.kinds.includes(plan.kind))
    throw invalidArgument(`there is no template of a ${plan.kind} driver in ${lang}`, {
      hint: `there is one of ${language.kinds.join(', ')}`,
    });
  if (existsSync(folder) && readdirSync(folder).length > 0) throw conflict(`${folder} is not empty`);
  const files = { ...commonFiles(plan, language), ...language.files(plan) };
  for (const [path, { text, mode = 0o644 }] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text, { mode });
  }
  return Object.keys(files);
}

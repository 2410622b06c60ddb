import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { conflict, invalidArgument } from '../errors.ts';
import { commonFiles } from './files.ts';
import { go } from './go.ts';
import { javascript, typescript } from './javascript.ts';
import { article, type Files, type Language, type Plan } from './plan.ts';
import { python } from './python.ts';
import { shell } from './shell.ts';

export { article, type Plan } from './plan.ts';
export const pluginKinds = ['volume', 'graph', 'network', 'ipam', 'log', 'exec'] as const satisfies readonly Plan['kind'][];

/** By what is typed after --lang. */
export const languages: Readonly<Record<string, Language>> = { ts: typescript, js: javascript, sh: shell, go, python };

/** Writes a new plugin into a folder that does not exist or is empty; answers the files. Nothing is written when it fails. */
export function createPlugin(folder: string, plan: Plan & { readonly lang: string }): readonly string[] {
  const files = filesOf(plan);
  if (existsSync(folder) && readdirSync(folder).length > 0) throw conflict(`${folder} is not empty`);
  for (const [path, { text, mode = 0o644 }] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text, { mode });
  }
  return Object.keys(files);
}

function filesOf({ lang, ...plan }: Plan & { readonly lang: string }): Files {
  const language = languageOf(lang);
  if (!pluginKinds.includes(plan.kind))
    throw invalidArgument(`kind ${JSON.stringify(plan.kind)}: must be one of ${pluginKinds.join(', ')}`);
  if (!/^[a-z0-9]([a-z0-9_.-]{0,98}[a-z0-9])?$/.test(plan.name))
    throw invalidArgument(
      `name ${JSON.stringify(plan.name)}: up to 100 of a-z 0-9 _ . -, of which the first and the last are a letter or digit`,
    );
  if (!language.kinds.includes(plan.kind)) {
    const others = Object.entries(languages).flatMap(([other, { kinds }]) => (kinds.includes(plan.kind) ? [other] : []));
    throw invalidArgument(`there is no template of ${article(plan.kind)} driver in ${language.title}`, {
      hint: `in ${language.title} there is one of ${language.kinds.join(', ')}; of ${article(plan.kind)} driver, --lang ${others.join(' or ')}`,
    });
  }
  return { ...commonFiles(plan, language), ...language.files(plan) };
}

function languageOf(lang: string): Language {
  const found = Object.hasOwn(languages, lang) ? languages[lang] : undefined;
  if (found === undefined) throw invalidArgument(`language ${JSON.stringify(lang)}: must be one of ${Object.keys(languages).join(', ')}`);
  return found;
}

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { catalogue, groups, loadVerb } from '../../core/cli/catalogue.ts';
import { toCommand } from '../../core/cli/verb.ts';

/** .github/COMMANDS.md, made by `npm run docs` of the commands themselves. */
export const page = join(import.meta.dirname, '../../.github/COMMANDS.md');

/** Every command with its help, by group, as Markdown. */
export async function commandsPage(): Promise<string> {
  const parts = ['# Commands', 'Made by `npm run docs` of what the commands say with `--help`. A name after "also" is the same command.'];
  for (const group of groups) {
    parts.push(`## ${group}`);
    for (const { names, summary, group: its } of catalogue) {
      if (its !== group) continue;
      const [name = '', ...others] = names;
      const command = toCommand(await loadVerb(name), name).configureHelp({ helpWidth: 100 });
      const also = others.length === 0 ? '' : `, also ${others.map((other) => `\`${other}\``).join(', ')}`;
      parts.push(`### gantry ${name}`, `${summary}${also}`, `\`\`\`\n${command.helpText().trimEnd()}\n\`\`\``);
    }
  }
  return `${parts.join('\n\n')}\n`;
}

if (import.meta.main) writeFileSync(page, await commandsPage());

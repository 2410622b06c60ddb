import type { Privilege } from '@gantry/sdk/engine';
import type { Context } from '../../context.ts';
import { oneLine } from '../../format/one-line.ts';
import { confirm } from '../../format/prompt.ts';
import { flag } from '../../option.ts';

export const grantOption = flag('--grant-all-permissions', 'Grant what it asks for without asking back');

/** Shows what is asked for, and asks whether to grant it; nothing asked for is granted at once. */
export async function areGranted(
  context: Context,
  name: string,
  { asked, grantAll }: { readonly asked: readonly Privilege[]; readonly grantAll: boolean },
): Promise<boolean> {
  if (asked.length === 0) return true;
  context.note(`Plugin ${JSON.stringify(name)} is requesting the following privileges:`);
  for (const privilege of asked) context.note(showPrivilege(privilege));
  return grantAll || (await confirm('Do you grant the above permissions?', '--grant-all-permissions'));
}

export function showPrivilege({ name, value, description }: Privilege): string {
  return oneLine(` - ${name}: [${value.join(' ')}]${description === '' ? '' : `  (${description})`}`);
}

import { GantryError, messageOf } from '@gantry/sdk';
import type { Grants } from '../drivers/index.ts';

type Texts = Readonly<Record<string, string>>;

/** Options taken apart: those that are shown, and those that the plugin's manifest marks as secret. */
export function separated(
  given: Texts,
  { secretOptions = [] }: Pick<Grants, 'secretOptions'>,
): { readonly options: Texts; readonly secrets: Texts } {
  const isSecret = ([name]: readonly [string, string]): boolean => secretOptions.includes(name);
  const entries = Object.entries(given);
  return {
    options: Object.fromEntries(entries.filter((entry) => !isSecret(entry))),
    secrets: Object.fromEntries(entries.filter(isSecret)),
  };
}

/** Texts of a driver, in which a secret of its volume stands nowhere. */
export function hiddenIn(texts: Texts, secrets: Texts): Texts {
  return Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, hidden(text, secrets)]));
}

/** An error of a driver, which may quote what it was given: a command line, an address. */
export function hiddenInError(error: unknown, secrets: Texts): unknown {
  const told = messageOf(error);
  const hint = GantryError.is(error) ? (error.hint ?? '') : '';
  if (hidden(told, secrets) === told && hidden(hint, secrets) === hint) return error;
  // Its cause says the same, and is left out.
  if (!GantryError.is(error)) return new GantryError('internal', hidden(told, secrets));
  const { code, reason, retryAfterMs } = error;
  return new GantryError(code, hidden(told, secrets), { reason, retryAfterMs, ...(hint !== '' && { hint: hidden(hint, secrets) }) });
}

/** Shorter ones would take words apart and could be guessed anyway. */
const shortest = 4;

function hidden(text: string, secrets: Texts): string {
  return Object.values(secrets)
    .filter((secret) => secret.length >= shortest)
    .toSorted((a, b) => b.length - a.length)
    .reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
}

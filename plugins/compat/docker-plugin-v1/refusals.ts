import { type ErrorCode, GantryError } from '@gantry/sdk';
import { plainText } from './transport.ts';

/** Docker's plugins refuse in words only. The first pattern that fits decides; no fit: the plugin failed, for reasons of its own. */
const patterns: readonly (readonly [RegExp, ErrorCode])[] = [
  [/already (exists?|created|registered|in the store)|\bexists already\b|\bEEXIST\b/i, 'already_exists'],
  [/(address|ip)\b.*\b(already|in use|taken|allocated)|already (in use|allocated)/i, 'already_exists'],
  [/\boverlap/i, 'forbidden'],
  [/\bno (available|free|more)\b.*\b(address|ip|subnet|pool)|exhausted|no space left|quota/i, 'exhausted'],
  [
    /out of range|outside|not usable|(invalid|unknown|unsupported|unrecognized|bad|missing)\b.*\b(option|opt|parameter|argument|address|value|key|name)/i,
    'invalid_argument',
  ],
  [
    /\b(not found|no such|does ?n[o']t exist|unknown (volume|network|endpoint|pool)|could ?n[o']t find|cannot find|not exist)\b|\bENOENT\b/i,
    'not_found',
  ],
  [/\b(in use|busy|still (mounted|attached|used)|being used|is mounted|has active|\bEBUSY\b)/i, 'conflict'],
  [/permission denied|not permitted|unauthori[sz]ed|access denied/i, 'forbidden'],
];

/** A plugin's refusal as an error that says who refused what. */
export function refusal(what: string, words: string): GantryError {
  const text = plainText(words);
  const code = patterns.find(([pattern]) => pattern.test(text))?.[1] ?? 'internal';
  return new GantryError(code, `${what}: ${text || 'the plugin refused without saying why'}`, { reason: 'PLUGIN_REFUSED' });
}

import { randomInt } from 'node:crypto';
import { adjectives, animals } from 'unique-names-generator';
import { shortId } from '../support/index.ts';

const tries = 6;

/** A free name of two words, "brave_otter"; with a digit from the second try, the short id when six tries met taken ones. */
export function generateName(id: string, isTaken: (name: string) => boolean): string {
  for (let attempt = 0; attempt < tries; attempt += 1) {
    const name = `${pick(adjectives)}_${pick(animals)}${attempt === 0 ? '' : randomInt(10)}`;
    if (!isTaken(name)) return name;
  }
  return shortId(id);
}

function pick(words: readonly string[]): string {
  return (words[randomInt(words.length)] ?? '').replaceAll(/[^a-z]/gi, '').toLowerCase();
}

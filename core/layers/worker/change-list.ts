import type { Change } from '@gantry/sdk/engine';
import { textOf } from './entry-path.ts';
import type { Changed } from './overlay-changes.ts';

/** Changes as one text, which goes from thread to thread at once: thousands of small objects are copied one by one, on both sides. */
export function packedChanges(changes: readonly Changed[]): string {
  return changes.map(({ path, kind }) => `${kind.charAt(0)}/${textOf(path)}`).join('\0');
}

export function unpackedChanges(text: string): readonly Change[] {
  if (text === '') return [];
  return text.split('\0').map((line) => ({ path: line.slice(1), kind: kindOf(line) }));
}

function kindOf(line: string): Change['kind'] {
  const letter = line.charAt(0);
  return letter === 'a' ? 'added' : letter === 'd' ? 'deleted' : 'modified';
}

import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A folder of these files, new, below `parent`. */
export function contextFolder(parent: string, files: Readonly<Record<string, string>>): string {
  const path = mkdtempSync(join(parent, 'context-'));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  }
  return path;
}

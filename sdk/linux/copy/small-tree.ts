import { anywhere, close, openFolderAt, type Place } from '../files/at.ts';
import { FileFacts } from '../files/facts.ts';
import { entryTypes, FolderListing } from '../files/listing.ts';

/** Copying so much takes 10 ms, and threads take longer to start. */
const mostEntries = 400;
const mostBytes = 4 << 20;

/** Whether a tree has so little in it that it is copied at once. Looks no further than it needs to. */
export function isSmallTree(path: string): boolean {
  const left = { entries: mostEntries, bytes: mostBytes };
  count(anywhere(path), left, new FileFacts());
  return left.entries >= 0 && left.bytes >= 0;
}

interface Left {
  entries: number;
  bytes: number;
}

function count({ folder, name }: Place, left: Left, facts: FileFacts): void {
  const opened = openFolderAt(folder, name);
  try {
    new FolderListing().each(opened, (entry, type) => {
      left.entries -= 1;
      if (left.entries < 0 || left.bytes < 0) return;
      if (type === entryTypes.unknown || type === entryTypes.file) facts.readNamed(opened, entry);
      if (type === entryTypes.folder || (type === entryTypes.unknown && facts.isFolder))
        count({ folder: opened, name: entry }, left, facts);
      else if (type === entryTypes.file || type === entryTypes.unknown) left.bytes -= facts.blockBytes;
    });
  } finally {
    close(opened);
  }
}

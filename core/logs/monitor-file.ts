import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';

/** Asks the monitor to start a new spool file. It does so a moment later; a monitor that is gone does nothing. */
export function reopenSpool(control: string): void {
  try {
    const pipe = openSync(control, constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      writeSync(pipe, '2 0 0\n');
    } finally {
      closeSync(pipe);
    }
  } catch {
    // ENXIO or ENOENT: nobody reads the pipe any more.
  }
}

/** Lines from an offset to the end of a file. */
export function countLines(path: string, offset: number): number {
  const chunk = Buffer.allocUnsafeSlow(256 * 1024);
  const file = openSync(path, 'r');
  try {
    let lines = 0;
    for (let at = offset; ; ) {
      const bytes = readSync(file, chunk, 0, chunk.length, at);
      if (bytes === 0) return lines;
      at += bytes;
      for (let found = chunk.indexOf(10); found !== -1 && found < bytes; found = chunk.indexOf(10, found + 1)) lines += 1;
    }
  } finally {
    closeSync(file);
  }
}

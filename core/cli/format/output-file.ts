import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { fromErrno, invalidArgument } from '@gantry/sdk/errors';
import { usageReason } from '../command.ts';
import { writeAll } from '../session/session.ts';
import { withBar } from './progress.ts';

/** Writes a stream to a file, which appears when it is whole, or to stdout, unless that is a terminal. */
export async function writeTar(path: string | undefined, label: string, fetch: () => Promise<AsyncIterable<Buffer>>): Promise<void> {
  if (path === undefined || path === '-') return await writeToStdout(fetch);
  const temporary = temporaryOf(path);
  const file = await create(temporary);
  try {
    for await (const chunk of withBar(label, await fetch())) await file.write(chunk);
    await file.close();
    await rename(temporary, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
}

/** What a file is called until it is whole. */
export function temporaryOf(path: string): string {
  return `${path}.${process.pid}.part`;
}

async function writeToStdout(fetch: () => Promise<AsyncIterable<Buffer>>): Promise<void> {
  if (process.stdout.isTTY)
    throw invalidArgument('stdout is a terminal: a tar would garble it', { hint: 'use -o file, or redirect', reason: usageReason });
  for await (const chunk of await fetch()) await writeAll(process.stdout, chunk);
}

async function create(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600);
  } catch (error) {
    throw fromErrno(error, 'cannot write the file');
  }
}

import { createReadStream, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fromErrno, invalidArgument } from '@gantry/sdk/errors';
import { usageReason } from '../../command.ts';
import { printProgress, withBar } from '../../format/progress.ts';
import { flag, text, value } from '../../option.ts';
import { verb } from '../../verb.ts';
import { packTar } from '../container/cp-tar.ts';

interface LoadFlags {
  readonly input?: string;
  readonly platform?: string;
  readonly quiet?: boolean;
}

export const load = verb<LoadFlags>({
  arguments: '',
  options: [
    value('-i, --input <path>', 'Read this file, or the OCI layout in this folder, instead of stdin', text),
    value('--platform <os/arch>', 'Of the images, those for this platform', text),
    flag('-q, --quiet', 'No progress'),
  ],
  notes: `Takes what docker save writes and OCI layouts, as tars (also compressed with gzip or zstd) or as folders.

  gantry load -i image.tar
  gantry load -i ./oci-layout`,
  async action(context, _given, { input, platform, quiet = false }) {
    if (input !== undefined && isFolder(input)) checkLayout(input);
    const { stream, sizeBytes } = openInput(input);
    const { images } = await context.client();
    const shown = quiet ? stream : withBar('loading', stream, sizeBytes);
    await printProgress(images.load(shown, { quiet: true, platform }), context.print);
  },
});

function checkLayout(folder: string): void {
  if (['oci-layout', 'manifest.json'].some((file) => existsSync(join(folder, file)))) return;
  throw invalidArgument(`${folder} holds no image: neither oci-layout nor manifest.json is in it`, {
    hint: 'to make an image of its files: gantry import',
  });
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** A file, stdin for "-", or what is in a folder, as a tar. */
export function openInput(path: string | undefined): { readonly stream: AsyncIterable<Buffer>; readonly sizeBytes: number | undefined } {
  if (path === undefined || path === '-') {
    if (process.stdin.isTTY)
      throw invalidArgument('stdin is a terminal, not a tar', { hint: 'use -i file, or redirect', reason: usageReason });
    return { stream: process.stdin as AsyncIterable<Buffer>, sizeBytes: undefined };
  }
  try {
    if (isFolder(path)) return { stream: packTar(path, { as: '.', followLink: true }), sizeBytes: undefined };
    const { size } = statSync(path);
    return { stream: createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>, sizeBytes: size };
  } catch (error) {
    throw fromErrno(error, 'cannot read the file');
  }
}

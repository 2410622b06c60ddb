import { createReadStream, statSync } from 'node:fs';
import { fromErrno, invalidArgument } from '@gantry/sdk/errors';
import { usageReason } from '../../command.ts';
import { printProgress, withBar } from '../../format/progress.ts';
import { flag, text, value } from '../../option.ts';
import { verb } from '../../verb.ts';

interface LoadFlags {
  readonly input?: string;
  readonly quiet?: boolean;
}

export const load = verb<LoadFlags>({
  arguments: '',
  options: [value('-i, --input <file>', 'Read this file instead of stdin', text), flag('-q, --quiet', 'No progress')],
  notes: 'Takes what docker save writes and OCI layouts, also compressed with gzip or zstd.',
  async action(context, _given, { input, quiet = false }) {
    const { stream, sizeBytes } = openInput(input);
    const { images } = await context.client();
    const shown = quiet ? stream : withBar('loading', stream, sizeBytes);
    await printProgress(images.load(shown, { quiet: true }), context.print);
  },
});

export function openInput(path: string | undefined): { readonly stream: AsyncIterable<Buffer>; readonly sizeBytes: number | undefined } {
  if (path === undefined || path === '-') {
    if (process.stdin.isTTY)
      throw invalidArgument('stdin is a terminal, not a tar', { hint: 'use -i file, or redirect', reason: usageReason });
    return { stream: process.stdin as AsyncIterable<Buffer>, sizeBytes: undefined };
  }
  try {
    const { size } = statSync(path);
    return { stream: createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>, sizeBytes: size };
  } catch (error) {
    throw fromErrno(error, 'cannot read the file');
  }
}

import { invalidArgument, messageOf, releasing } from '@gantry/sdk';
import type { Progress } from '@gantry/sdk/engine';
import { download } from '@gantry/sdk/transport';
import { withoutAbsent } from '../../http/absent.ts';
import type { Call } from '../../http/call.ts';
import { withProgress } from '../../streams/progress.ts';
import { withTag } from './with-tag.ts';

/** POST /images/create?fromSrc=: the archive is the body of the request ("-"), or what is at an address. */
export async function importTar(call: Call): Promise<void> {
  const { query, signal } = call;
  const source = query.text('fromSrc');
  if (source === '') throw invalidArgument('either fromImage or fromSrc must be given');
  const url = source === '-' ? undefined : addressOf(source);
  const repository = query.word('repo');
  await withProgress(call, async (report) => {
    const { id } = await call.engine.images.import(
      withoutAbsent({
        tar: url === undefined ? releasing(call.body()) : fetched(url, { report, signal }),
        reference: repository === undefined ? undefined : withTag(repository, query.word('tag')),
        message: query.word('message') ?? (url === undefined ? undefined : `Imported from ${url.href}`),
        changes: query.all('changes').flatMap((change) => change.split('\n')),
        platform: query.word('platform'),
        signal,
      }),
    );
    report({ status: id });
  });
}

/** As Docker has it, a name without a scheme is one of HTTP. */
function addressOf(source: string): URL {
  const url = URL.parse(source.includes('://') ? source : `http://${source}`);
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.hostname === '') {
    throw invalidArgument(`cannot import from ${JSON.stringify(source.replace(/\/\/[^/@]*@/, '//***@'))}: it is no http or https address`, {
      hint: 'send the archive in the request, with fromSrc=-',
    });
  }
  if (url.username !== '' || url.password !== '') {
    throw invalidArgument(`cannot import from ${url.host}: an address with a password would be kept with the image`, {
      hint: 'fetch the archive, and send it in the request, with fromSrc=-',
    });
  }
  return url;
}

const reportedEveryBytes = 2 ** 20;

/** The request is made when the first byte is wanted: what else is wrong with the import is told without it. */
async function* fetched(
  url: URL,
  { report, signal }: { readonly report: (progress: Progress) => void; readonly signal: AbortSignal },
): AsyncIterable<Buffer> {
  const { headers, body } = await download(url, { signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw invalidArgument(`cannot import from ${messageOf(error)}`, { cause: error });
  });
  report({ status: `Downloading from ${url.href}` });
  const total = Number(headers['content-length'] ?? 0);
  let current = 0;
  let reported = 0;
  for await (const chunk of body) {
    current += chunk.length;
    if (current - reported >= reportedEveryBytes || current === total) {
      reported = current;
      report({ status: 'Importing', progressDetail: { current, ...(total > 0 && { total }) } });
    }
    yield chunk;
  }
}

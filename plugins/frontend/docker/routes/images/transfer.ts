import { codeOf, internal, invalidArgument, notImplemented, releasing } from '@gantry/sdk';
import { withoutAbsent } from '../../http/absent.ts';
import type { Call } from '../../http/call.ts';
import { authOf, withoutPrompt } from '../../http/registry-auth.ts';
import { textOf } from '../../status.ts';
import { withProgress } from '../../streams/progress.ts';
import { post, type Route } from '../route.ts';

export const transferRoutes: readonly Route[] = [
  post('/images/create', (call) => (call.query.text('fromImage') === '' ? importTar(call) : pull(call))),
  post('/images/:name/push', push),
];

async function pull(call: Call): Promise<void> {
  const { query } = call;
  const reference = withTag(query.text('fromImage'), query.word('tag'));
  const auth = authOf(call);
  await withProgress(call, (onProgress) =>
    fromRegistry(
      withoutPrompt(
        call.engine.images.pull(
          reference,
          withoutAbsent({ platform: query.word('platform'), allTags: true, auth, onProgress, signal: call.signal }),
        ),
      ),
    ),
  );
}

async function push(call: Call): Promise<void> {
  const reference = withTag(call.param('name'), call.query.word('tag'));
  const auth = authOf(call);
  await withProgress(call, (onProgress) =>
    fromRegistry(call.engine.images.push(reference, withoutAbsent({ auth, onProgress, signal: call.signal }))),
  );
}

async function importTar(call: Call): Promise<void> {
  const { query } = call;
  const source = query.text('fromSrc');
  if (source === '') throw invalidArgument('either fromImage or fromSrc must be given');
  if (source !== '-') throw notImplemented(`cannot import from ${source}: send the archive in the request, with fromSrc=-`);
  const repository = query.word('repo');
  await withProgress(call, async (report) => {
    const { id } = await call.engine.images.import(
      withoutAbsent({
        tar: releasing(call.body()),
        reference: repository === undefined ? undefined : withTag(repository, query.word('tag')),
        message: query.word('message'),
        changes: query.all('changes').flatMap((change) => change.split('\n')),
        platform: query.word('platform'),
        signal: call.signal,
      }),
    );
    report({ status: id });
  });
}

/** A registry that cannot be reached is no fault of the engine, but Docker's clients know 503 only of swarm mode. */
async function fromRegistry(work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    throw codeOf(error) === 'unavailable' ? internal(textOf(error), { cause: error }) : error;
  });
}

function withTag(name: string, tag: string | undefined): string {
  if (tag === undefined) return name;
  return tag.includes(':') ? `${name}@${tag}` : `${name}:${tag}`;
}

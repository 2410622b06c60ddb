import { withoutAbsent } from '../../http/absent.ts';
import type { Call } from '../../http/call.ts';
import { fromRegistry } from '../../http/from-registry.ts';
import { platformIn } from '../../http/platform.ts';
import { authOf, withoutPrompt } from '../../http/registry-auth.ts';
import { withProgress } from '../../streams/progress.ts';
import { post, type Route } from '../route.ts';
import { importTar } from './import.ts';
import { withTag } from './with-tag.ts';

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
  const platform = platformIn(call, 46);
  const auth = authOf(call);
  await withProgress(call, (onProgress) =>
    fromRegistry(call.engine.images.push(reference, withoutAbsent({ auth, platform, onProgress, signal: call.signal }))),
  );
}

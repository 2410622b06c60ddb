import { invalidArgument, releasing } from '@gantry/sdk';
import { withoutAbsent } from '../../http/absent.ts';
import type { Call } from '../../http/call.ts';
import { platformIn } from '../../http/platform.ts';
import { withProgress } from '../../streams/progress.ts';
import { get, post, type Route } from '../route.ts';

export const archiveRoutes: readonly Route[] = [
  get('/images/:name/get', (call) => save(call, [call.param('name')])),
  get('/images/get', (call) =>
    save(
      call,
      call.query.all('names').flatMap((names) => names.split(',')),
    ),
  ),
  post('/images/load', load),
];

async function save(call: Call, names: readonly string[]): Promise<void> {
  if (names.every((name) => name === '')) throw invalidArgument('no image given to save');
  const tar = await call.engine.images.save(names, withoutAbsent({ platform: platformIn(call, 48), signal: call.signal }));
  await call.stream('application/x-tar').pipe(tar);
}

async function load(call: Call): Promise<void> {
  const isQuiet = call.query.flag('quiet', true);
  const platform = platformIn(call, 48);
  await withProgress(call, async (report) => {
    const loaded = await call.engine.images.load(
      releasing(call.body()),
      withoutAbsent({ onProgress: isQuiet ? undefined : report, platform, signal: call.signal }),
    );
    for (const { id, reference, replaced } of loaded) {
      if (reference !== undefined && replaced !== undefined) {
        report({ stream: `The image ${reference} already exists, renaming the old one with ID ${replaced} to empty string\n` });
      }
      report({ stream: reference === undefined ? `Loaded image ID: ${id}\n` : `Loaded image: ${reference}\n` });
    }
  });
}

import { invalidArgument } from '@gantry/sdk';
import type { PluginInfo, PluginProgress, Progress } from '@gantry/sdk/engine';
import { privileges } from '../../bodies/plugin.ts';
import { withoutAbsent } from '../../http/absent.ts';
import type { Call } from '../../http/call.ts';
import { parseReference, type Reference, showReference } from '../../http/reference.ts';
import { authOf, withoutPrompt } from '../../http/registry-auth.ts';
import { withProgress } from '../../streams/progress.ts';
import { get, post, type Route } from '../route.ts';
import { pluginOf } from './find.ts';

export const fetchRoutes: readonly Route[] = [
  get('/plugins/privileges', showPrivileges),
  post('/plugins/pull', pull),
  post('/plugins/create', create),
  post('/plugins/:name/upgrade', upgrade),
  post('/plugins/:name/push', push),
];

async function showPrivileges(call: Call): Promise<void> {
  const offer = await withoutPrompt(call.engine.plugins.offer(sourceOf(remoteOf(call)), fetching(call)));
  call.send(offer.privileges.map(({ name, description, value }) => ({ Name: name, Description: description, Value: value })));
}

/** The docker CLI sets and enables what the header names, so it goes out with the head. */
async function pull(call: Call): Promise<void> {
  const remote = remoteOf(call);
  const alias = localName(call.query.word('name') ?? showReference(withoutDigest(remote)));
  const grant = await call.json(privileges, []);
  await withProgress(
    call,
    async (report) => {
      const request = { source: sourceOf(remote), alias, grant, enable: false };
      const plugin = await withoutPrompt(call.engine.plugins.install(request, fetching(call, report)));
      reportEnd(plugin, remote, report);
    },
    { headers: ['Docker-Plugin-Name', alias] },
  );
}

async function upgrade(call: Call): Promise<void> {
  const { name } = pluginOf(call);
  const remote = remoteOf(call);
  const grant = await call.json(privileges, []);
  await withProgress(
    call,
    async (report) => {
      const plugin = await withoutPrompt(call.engine.plugins.upgrade(name, { source: sourceOf(remote), grant }, fetching(call, report)));
      reportEnd(plugin, remote, report);
    },
    { headers: ['Docker-Plugin-Name', name] },
  );
}

async function create(call: Call): Promise<void> {
  const name = localName(call.query.text('name'));
  await call.engine.plugins.create(name, call.body(), { signal: call.signal });
  call.sendNothing(204);
}

async function push(call: Call): Promise<void> {
  const { name } = pluginOf(call);
  const { name: repository, tag = 'latest' } = parseReference(name);
  await withProgress(call, async (report) => {
    let isFirst = true;
    const onProgress = (progress: Progress) => {
      if (isFirst) report({ status: `The push refers to repository [${repository}]` });
      isFirst = false;
      report(progress);
    };
    const { digest, size } = await call.engine.plugins.push(name, fetching(call, onProgress));
    report({ status: `${tag}: digest: ${digest} size: ${size}` });
    report({ aux: { Tag: tag, Digest: digest, Size: size } });
  });
}

/** What all that fetches is given: who asks, and where to tell how far it is. */
export function fetching(call: Call, report?: (progress: Progress) => void) {
  const onProgress = report === undefined ? undefined : (progress: PluginProgress) => report(progressMessage(progress));
  return withoutAbsent({ auth: authOf(call), onProgress, signal: call.signal });
}

function progressMessage({ id, status, current, total }: PluginProgress): Progress {
  return { status, id, ...(current === undefined ? {} : { progressDetail: withoutAbsent({ current, total }) }) };
}

function remoteOf(call: Call): Reference {
  return parseReference(call.query.text('remote'));
}

const sourceOf = (remote: Reference): string => `oci:${showReference(remote)}`;

function withoutDigest({ name, tag }: Reference): Reference {
  return { name, ...(tag === undefined ? {} : { tag }) };
}

/** A name here has a tag, as Docker's have, and no digest. */
function localName(text: string): string {
  const reference = parseReference(text);
  if (reference.digest !== undefined) throw invalidArgument('cannot use digest in plugin tag');
  return showReference(reference);
}

function reportEnd({ source }: PluginInfo, remote: Reference, report: (progress: Progress) => void): void {
  const digest = /@(sha256:[0-9a-f]+)$/.exec(source)?.[1];
  if (digest !== undefined) report({ status: `Digest: ${digest}` });
  report({ status: `Status: Downloaded newer image for ${showReference(remote)}` });
}

import { type AuthoredEntry, log } from '@gantry/sdk/author';
import { HttpSink, retrying } from '@gantry/sdk/log/sinks';
import { options, type Settings, settingsOf } from './options.ts';

export default log({
  name: 'http',
  options,
  check: (given) => void settingsOf(given),
  open({ options: given, container, attributes }) {
    const settings = settingsOf(given);
    const common = { container_id: container.id, container_name: container.name.replace(/^\//, ''), image: container.image, ...attributes };
    return { settings, common, sink: new HttpSink(settings) };
  },
  async write({ entries }, { log: logger, signal }, { settings, common, sink }) {
    const body = bodyOf(entries, common, settings);
    const batch = { body, contentType: settings.contentType, entries: entries.length };
    await retrying(() => sink.post(batch, { log: logger, signal }), { ...settings.retry, signal });
  },
  close: (_, { sink }) => sink[Symbol.dispose](),
});

function bodyOf(entries: readonly AuthoredEntry[], common: Readonly<Record<string, string>>, { format }: Settings): string {
  const objects = entries.map(({ time, source, text, partial }) => ({
    ...common,
    time,
    source,
    log: text,
    ...(partial ? { partial } : {}),
  }));
  return format === 'json' ? JSON.stringify(objects) : objects.map((object) => `${JSON.stringify(object)}\n`).join('');
}

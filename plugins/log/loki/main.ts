import { hostname } from 'node:os';
import { type AuthoredEntry, log } from '@gantry/sdk/author';
import { logTag } from '@gantry/sdk/log';
import { HttpSink, retrying } from '@gantry/sdk/log/sinks';
import { options, settingsOf } from './options.ts';

type Labels = Readonly<Record<string, string>>;

export default log({
  name: 'loki',
  options,
  check: (given) => void settingsOf(given),
  open({ options: given, container, attributes }) {
    const settings = settingsOf(given);
    const external = Object.entries(settings.labels).map(([name, template]) => [name, logTag(container, template)] as const);
    const own = Object.entries(attributes).map(([name, value]) => [labelName(name), value] as const);
    const labels: Labels = { host: hostname(), ...Object.fromEntries(own), ...Object.fromEntries(external) };
    return { settings, labels, sink: new HttpSink(settings) };
  },
  async write({ entries }, { log: logger, signal }, { settings, labels, sink }) {
    const body = JSON.stringify({ streams: streamsOf(entries, labels) });
    const batch = { body, contentType: 'application/json', entries: entries.length };
    await retrying(() => sink.post(batch, { log: logger, signal }), { ...settings.retry, signal });
  },
  close: (_, { sink }) => sink[Symbol.dispose](),
});

/** One stream of Loki's for each source, with times in nanoseconds. */
function streamsOf(entries: readonly AuthoredEntry[], labels: Labels): readonly object[] {
  return (['stdout', 'stderr'] as const).flatMap((source) => {
    const values = entries
      .filter((entry) => entry.source === source)
      .map(({ at, text }) => [`${at.seconds}${String(at.nanos).padStart(9, '0')}`, text]);
    return values.length === 0 ? [] : [{ stream: { ...labels, source }, values }];
  });
}

/** Loki takes letters, digits and underscores, not beginning with a digit. */
function labelName(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9_]/g, '_').replace(/^(?=\d)/, '_');
}

import { t } from '@gantry/sdk/author';
import { parseLogCount, parseLogDuration, parseLogFlag, parseLogSize } from '@gantry/sdk/log';
import { type LogAddress, parseLogAddress } from '@gantry/sdk/log/sinks';

/** What `--log-opt` takes, with Docker's names and meanings. */
export const options = {
  'fluentd-address': t.Optional(
    t.String({ description: 'Where the receiver is: host[:24224], tcp://…, tls://… or unix:///path. Default: 127.0.0.1:24224.' }),
  ),
  'fluentd-sub-second-precision': t.Optional(
    t.String({ description: 'true: times to the nanosecond (EventTime), else to the second. Default: false.' }),
  ),
  'fluentd-request-ack': t.Optional(
    t.String({ description: 'true: each batch waits until the receiver has acknowledged it. Default: false.' }),
  ),
  'fluentd-retry-wait': t.Optional(
    t.String({ description: 'The first pause after a failure; each further one is half as long again. Default: 1s.' }),
  ),
  'fluentd-max-retries': t.Optional(
    t.String({ description: 'How often a batch is tried again before the engine’s own, longer pauses begin. Default: 0.' }),
  ),
  'fluentd-async': t.Optional(t.String({ description: 'Taken and without effect: containers never wait for a receiver.' })),
  'fluentd-async-reconnect-interval': t.Optional(
    t.String({ description: 'A connection that is older is made anew, for receivers behind a balancer. Default: never.' }),
  ),
  'fluentd-buffer-limit': t.Optional(t.String({ description: 'Taken and without effect: what waits is in the engine’s spool.' })),
} as const;

type Given = Readonly<{ [Name in keyof typeof options]?: string | undefined }>;

export interface Settings {
  readonly address: LogAddress<'tcp' | 'tls' | 'unix'>;
  readonly isSubSecond: boolean;
  readonly wantsAck: boolean;
  readonly retryWaitMs: number;
  readonly maxRetries: number;
  readonly reconnectMs: number | undefined;
}

/** Fails with `invalid_argument` that names the option. */
export function settingsOf(given: Given): Settings {
  const flag = (name: keyof Given): boolean => parseLogFlag(given[name] ?? '', name);
  const duration = (name: keyof Given): number | undefined => {
    const text = given[name];
    return text === undefined ? undefined : parseLogDuration(text, name);
  };
  flag('fluentd-async');
  const limit = given['fluentd-buffer-limit'];
  if (limit !== undefined) parseLogSize(limit, 'fluentd-buffer-limit');
  return {
    address: parseLogAddress(given['fluentd-address'] ?? '127.0.0.1', 'fluentd-address', {
      schemes: ['tcp', 'tls', 'unix'],
      paths: ['unix'],
      port: 24_224,
      scheme: 'tcp',
    }),
    isSubSecond: flag('fluentd-sub-second-precision'),
    wantsAck: flag('fluentd-request-ack'),
    retryWaitMs: duration('fluentd-retry-wait') ?? 1_000,
    maxRetries: parseLogCount(given['fluentd-max-retries'] ?? '0', 'fluentd-max-retries'),
    reconnectMs: duration('fluentd-async-reconnect-interval'),
  };
}

import { invalidArgument } from '@gantry/sdk';
import { t } from '@gantry/sdk/author';
import { type ContainerInfo, logTag, parseLogCount, parseLogDuration, parseLogFlag, parseLogUrl } from '@gantry/sdk/log';
import { readTlsFiles, type TlsFiles } from '@gantry/sdk/log/sinks';

/** What `--log-opt` takes, with the names of Grafana's own plugin for Docker where it has the same. */
export const options = {
  'loki-url': t.String({
    description: 'Where entries are pushed to, http://host:3100/loki/api/v1/push; a user and password in it are sent.',
  }),
  'loki-external-labels': t.Optional(
    t.String({ description: 'Further labels of the stream, job=docker,name={{.Name}}. Default: container_name={{.Name}}.' }),
  ),
  'loki-tenant-id': t.Optional(t.String({ description: 'Sent as X-Scope-OrgID.' })),
  'loki-timeout': t.Optional(t.String({ description: 'How long one request may take. Default: 10s.' })),
  'loki-gzip': t.Optional(t.String({ description: 'false: batches are not compressed. Default: true.' })),
  'loki-retries': t.Optional(
    t.String({ description: 'How often a batch is tried again before the engine’s own pauses begin. Default: 10.' }),
  ),
  'loki-min-backoff': t.Optional(
    t.String({ description: 'The first pause after a failure; each further one is twice as long. Default: 500ms.' }),
  ),
  'loki-max-backoff': t.Optional(t.String({ description: 'The longest pause. Default: 5m.' })),
  'loki-tls-ca-file': t.Optional(
    t.String({ description: 'File of the authorities whose certificates are trusted. Default: the system’s.' }),
  ),
  'loki-tls-cert-file': t.Optional(t.String({ description: 'File of the certificate that is shown to the receiver.' })),
  'loki-tls-key-file': t.Optional(t.String({ description: 'File of its key.' })),
  'loki-tls-server-name': t.Optional(t.String({ description: 'The name in the receiver’s certificate. Default: the host’s.' })),
  'loki-tls-insecure-skip-verify': t.Optional(t.String({ description: 'true: the receiver’s certificate is not checked.' })),
} as const;

type Given = Readonly<{ 'loki-url': string } & { [Name in Exclude<keyof typeof options, 'loki-url'>]?: string | undefined }>;

export interface Settings {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Templates of their values, by name. */
  readonly labels: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly gzip: boolean;
  readonly retry: { readonly tries: number; readonly firstMs: number; readonly lastMs: number };
  readonly tls: TlsFiles | undefined;
}

/** Fails with `invalid_argument` that names the option. */
export function settingsOf(given: Given): Settings {
  const url = parseLogUrl(given['loki-url'], 'loki-url');
  const files = { caFile: given['loki-tls-ca-file'], certFile: given['loki-tls-cert-file'], keyFile: given['loki-tls-key-file'] };
  const skipVerify = parseLogFlag(given['loki-tls-insecure-skip-verify'] ?? '', 'loki-tls-insecure-skip-verify');
  const tenant = given['loki-tenant-id'];
  return {
    url,
    headers: tenant === undefined ? {} : { 'x-scope-orgid': tenant },
    labels: labelsIn(given['loki-external-labels'] ?? 'container_name={{.Name}}'),
    timeoutMs: parseLogDuration(given['loki-timeout'] ?? '10s', 'loki-timeout'),
    gzip: parseLogFlag(given['loki-gzip'] ?? 'true', 'loki-gzip'),
    retry: {
      tries: parseLogCount(given['loki-retries'] ?? '10', 'loki-retries') + 1,
      firstMs: parseLogDuration(given['loki-min-backoff'] ?? '500ms', 'loki-min-backoff'),
      lastMs: parseLogDuration(given['loki-max-backoff'] ?? '5m', 'loki-max-backoff'),
    },
    tls: url.startsWith('https:') ? readTlsFiles({ ...files, skipVerify, serverName: given['loki-tls-server-name'] }) : undefined,
  };
}

function labelsIn(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(',').filter((part) => part !== '');
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, name, value] = /^([a-zA-Z_][a-zA-Z0-9_]*)=(.+)$/.exec(pair.trim()) ?? [];
      if (name === undefined || value === undefined)
        throw invalidArgument(
          `log opt loki-external-labels: ${JSON.stringify(pair)} must be NAME=VALUE, the name of letters, digits and _`,
        );
      logTag(nobody, value);
      return [name, value];
    }),
  );
}

/** To try templates on. */
const nobody: ContainerInfo = { id: '', name: '', image: '', imageId: '', command: [], env: [], labels: {}, created: new Date(0), dir: '' };

import { invalidArgument } from '@gantry/sdk';
import { t } from '@gantry/sdk/author';
import { parseLogCount, parseLogDuration, parseLogFlag, parseLogUrl } from '@gantry/sdk/log';
import { readTlsFiles, type TlsFiles } from '@gantry/sdk/log/sinks';

const formats = { json: 'application/json', ndjson: 'application/x-ndjson' } as const;

/** What `--log-opt` takes: the names of `loki` for what both have, and for TLS those that Docker's `syslog` has. */
export const options = {
  'http-url': t.String({ description: 'Where batches are posted to; a user and password in it are sent.' }),
  'http-format': t.Optional(t.String({ description: 'json: an array; ndjson: one object in each line. Default: json.' })),
  'http-headers': t.Optional(t.String({ description: 'Further headers, "Name: value", with | between them.' })),
  'http-gzip': t.Optional(t.String({ description: 'true: batches are compressed. Default: false.' })),
  'http-timeout': t.Optional(t.String({ description: 'How long one request may take. Default: 10s.' })),
  'http-retries': t.Optional(
    t.String({ description: 'How often a batch is tried again before the engine’s own pauses begin. Default: 0.' }),
  ),
  'http-min-backoff': t.Optional(
    t.String({ description: 'The first pause after a failure; each further one is twice as long. Default: 500ms.' }),
  ),
  'http-max-backoff': t.Optional(t.String({ description: 'The longest pause. Default: 5m.' })),
  'http-tls-ca-cert': t.Optional(
    t.String({ description: 'File of the authorities whose certificates are trusted. Default: the system’s.' }),
  ),
  'http-tls-cert': t.Optional(t.String({ description: 'File of the certificate that is shown to the receiver.' })),
  'http-tls-key': t.Optional(t.String({ description: 'File of its key.' })),
  'http-tls-server-name': t.Optional(t.String({ description: 'The name in the receiver’s certificate. Default: the host’s.' })),
  'http-tls-skip-verify': t.Optional(t.String({ description: 'true: the receiver’s certificate is not checked.' })),
} as const;

type Given = Readonly<{ 'http-url': string } & { [Name in Exclude<keyof typeof options, 'http-url'>]?: string | undefined }>;

export interface Settings {
  readonly url: string;
  readonly format: keyof typeof formats;
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly gzip: boolean;
  readonly timeoutMs: number;
  readonly retry: { readonly tries: number; readonly firstMs: number; readonly lastMs: number };
  readonly tls: TlsFiles | undefined;
}

/** Fails with `invalid_argument` that names the option. */
export function settingsOf(given: Given): Settings {
  const url = parseLogUrl(given['http-url'], 'http-url');
  const format = given['http-format'] ?? 'json';
  if (format !== 'json' && format !== 'ndjson') throw invalidArgument(`log opt http-format=${format}: must be json or ndjson`);
  const files = { caFile: given['http-tls-ca-cert'], certFile: given['http-tls-cert'], keyFile: given['http-tls-key'] };
  const skipVerify = parseLogFlag(given['http-tls-skip-verify'] ?? '', 'http-tls-skip-verify');
  return {
    url,
    format,
    contentType: formats[format],
    headers: headersIn(given['http-headers'] ?? ''),
    gzip: parseLogFlag(given['http-gzip'] ?? '', 'http-gzip'),
    timeoutMs: parseLogDuration(given['http-timeout'] ?? '10s', 'http-timeout'),
    retry: {
      tries: parseLogCount(given['http-retries'] ?? '0', 'http-retries') + 1,
      firstMs: parseLogDuration(given['http-min-backoff'] ?? '500ms', 'http-min-backoff'),
      lastMs: parseLogDuration(given['http-max-backoff'] ?? '5m', 'http-max-backoff'),
    },
    tls: url.startsWith('https:') ? readTlsFiles({ ...files, skipVerify, serverName: given['http-tls-server-name'] }) : undefined,
  };
}

function headersIn(text: string): Readonly<Record<string, string>> {
  const parts = text.split('|').filter((part) => part.trim() !== '');
  return Object.fromEntries(
    parts.map((part) => {
      const [, name, value] = /^\s*([!#$%&'*+.^_`|~\w-]+):\s*([\x20-\x7e]*?)\s*$/.exec(part) ?? [];
      if (name === undefined || value === undefined)
        throw invalidArgument(`log opt http-headers: ${JSON.stringify(part)} must be "Name: value"`);
      return [name.toLowerCase(), value];
    }),
  );
}

import { statSync } from 'node:fs';
import { errnoNameOf, invalidArgument, messageOf } from '@gantry/sdk';
import { t } from '@gantry/sdk/author';
import { parseLogFlag } from '@gantry/sdk/log';
import { type LogAddress, parseLogAddress, readTlsFiles, type TlsFiles } from '@gantry/sdk/log/sinks';
import { facilities, type Format, formats } from './message.ts';

/** What `--log-opt` takes, with Docker's names and meanings. */
export const options = {
  'syslog-address': t.Optional(
    t.String({
      description: 'Where the receiver is: [udp|tcp|tcp+tls]://host[:514] or [unix|unixgram]:///path. Default: /dev/log of this machine.',
    }),
  ),
  'syslog-facility': t.Optional(t.String({ description: 'kern, user, …, local7, or a number from 0 to 23. Default: daemon.' })),
  'syslog-format': t.Optional(
    t.String({ description: 'rfc3164, rfc5424 or rfc5424micro. Default: what syslog(3) sends, without a host.' }),
  ),
  'syslog-tls-ca-cert': t.Optional(
    t.String({ description: 'File of the authorities whose certificates are trusted. Default: the system’s.' }),
  ),
  'syslog-tls-cert': t.Optional(t.String({ description: 'File of the certificate that is shown to the receiver.' })),
  'syslog-tls-key': t.Optional(t.String({ description: 'File of its key.' })),
  'syslog-tls-skip-verify': t.Optional(t.String({ description: 'true: the receiver’s certificate is not checked.' })),
} as const;

type Given = Readonly<{ [Name in keyof typeof options]?: string | undefined }>;
type Scheme = 'udp' | 'tcp' | 'tcp+tls' | 'unix' | 'unixgram';

export interface Settings {
  /** Undefined: this machine's. */
  readonly address: LogAddress<Scheme> | undefined;
  readonly facility: number;
  readonly format: Format;
  readonly tls: TlsFiles | undefined;
}

/** Fails with `invalid_argument` in Docker's words; a socket or file that is not there is one. */
export function settingsOf(given: Given): Settings {
  const address = addressOf(given['syslog-address']);
  const skipVerify = parseLogFlag(given['syslog-tls-skip-verify'] ?? '', 'syslog-tls-skip-verify');
  const files = { caFile: given['syslog-tls-ca-cert'], certFile: given['syslog-tls-cert'], keyFile: given['syslog-tls-key'], skipVerify };
  return {
    address,
    facility: facilityOf(given['syslog-facility'] ?? 'daemon'),
    format: formatOf(given['syslog-format'] ?? 'unix'),
    tls: address?.scheme === 'tcp+tls' ? readTlsFiles(files) : undefined,
  };
}

function addressOf(text: string | undefined): LogAddress<Scheme> | undefined {
  if (text === undefined) return undefined;
  const address = parseLogAddress<Scheme>(text, 'syslog-address', {
    schemes: ['udp', 'tcp', 'tcp+tls', 'unix', 'unixgram'],
    paths: ['unix', 'unixgram'],
    port: 514,
  });
  if (address.path !== undefined) mustExist(address.path);
  return address;
}

function mustExist(path: string): void {
  try {
    statSync(path);
  } catch (error) {
    const reason = errnoNameOf(error) === 'ENOENT' ? 'no such file or directory' : messageOf(error);
    throw invalidArgument(`stat ${path}: ${reason}`, { cause: error });
  }
}

function facilityOf(text: string): number {
  const named = text === '-' ? -1 : facilities.indexOf(text);
  const number = named >= 0 ? named : /^\d{1,2}$/.test(text) ? Number(text) : 24;
  if (number >= 24)
    throw invalidArgument(`invalid syslog facility: ${text}`, {
      hint: `it is 0 to 23 or one of ${facilities.filter((name) => name !== '-').join(', ')}`,
    });
  return number;
}

function formatOf(text: string): Format {
  const format = formats.find((known) => known === text);
  if (format === undefined) throw invalidArgument(`Invalid syslog format: ${text}`, { hint: 'it is rfc3164, rfc5424 or rfc5424micro' });
  return format;
}

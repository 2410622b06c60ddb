import { formatLogTime, type LogTime } from '@gantry/sdk/log';

/** In the order of their numbers (RFC 5424, table 1, with the names of syslog.h); those from 12 to 15 have no name there. */
export const facilities: readonly string[] =
  'kern user mail daemon auth syslog lpr news uucp cron authpriv ftp - - - - local0 local1 local2 local3 local4 local5 local6 local7'.split(
    ' ',
  );

/** `unix` is what syslog(3) sends to /dev/log: RFC 3164 without the host. */
export const formats = ['unix', 'rfc3164', 'rfc5424', 'rfc5424micro'] as const;
export type Format = (typeof formats)[number];

export interface MessageFacts {
  readonly format: Format;
  readonly facility: number;
  readonly hostname: string;
  readonly tag: string;
  readonly pid: number;
}
export interface Line {
  readonly at: LogTime;
  readonly source: 'stdout' | 'stderr';
  readonly line: Buffer;
}

const severities = { stderr: 3, stdout: 6 } as const;

/** One line as a message, without anything that divides it from the next. Its time is when the container wrote it. */
export function messageOf(facts: MessageFacts, { at, source, line }: Line): Buffer {
  return Buffer.concat([Buffer.from(heads[facts.format](facts, facts.facility * 8 + severities[source], at)), line]);
}

const heads: Readonly<Record<Format, (facts: MessageFacts, priority: number, at: LogTime) => string>> = {
  unix: ({ tag, pid }, priority, at) => `<${priority}>${stamp(at)} ${tag}[${pid}]: `,
  rfc3164: ({ hostname, tag, pid }, priority, at) => `<${priority}>${stamp(at)} ${word(hostname, 255)} ${tag}[${pid}]: `,
  rfc5424: (facts, priority, at) => structured(facts, priority, formatLogTime({ ...at, nanos: 0 })),
  // As fine as RFC 5424 allows.
  rfc5424micro: (facts, priority, at) => structured(facts, priority, formatLogTime(at, { fixed: true }).replace(/\d{3}Z$/, 'Z')),
};

function structured({ hostname, tag, pid }: MessageFacts, priority: number, time: string): string {
  return `<${priority}>1 ${time} ${word(hostname, 255)} ${word(tag, 48)} ${pid} ${word(tag, 32)} - `;
}

/** RFC 6587, 3.4.1: each message with its length in front; lines may then hold anything. */
export function counted(message: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${message.length} `), message]);
}

/** RFC 6587, 3.4.2. */
export function ended(message: Buffer): Buffer {
  return Buffer.concat([message, Buffer.from('\n')]);
}

/** RFC 5424 allows printable ASCII there, and only so many. */
function word(text: string, most: number): string {
  return text.replaceAll(/[^!-~]/g, '_').slice(0, most) || '-';
}

/** "Jan  2 15:04:05", in the machine's time zone, as RFC 3164 wants it. */
function stamp({ seconds }: LogTime): string {
  const date = new Date(seconds * 1_000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return `${months[date.getMonth()] ?? ''} ${String(date.getDate()).padStart(2)} ${time}`;
}
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface SyslogMessage {
  readonly raw: string;
  readonly msg: string;
  readonly pri: string;
  readonly host: string;
  readonly tag: string;
  readonly app: string;
  readonly time: string;
}
interface Ports {
  readonly udp: number;
  readonly tcp: number;
  readonly tls: number;
  /** A stream of messages that end with a NUL. */
  readonly gelf: number;
}
export interface RsyslogOptions {
  readonly ports?: Ports;
  /** Files of a certificate, its key and the authority that clients' must be of. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
}

/** A real rsyslogd as an ordinary process, in the test's own network namespace, and what it received. */
export class Rsyslog implements AsyncDisposable {
  readonly ports: Ports;
  readonly #folder = mkdtempSync(join(tmpdir(), 'rsyslog-'));
  #child: ChildProcess | undefined;

  private constructor({ ports = { udp: 5514, tcp: 5515, tls: 5516, gelf: 5517 }, tls }: RsyslogOptions) {
    this.ports = ports;
    writeFileSync(join(this.#folder, 'rsyslog.conf'), configuration(this, tls));
  }

  static async start(options: RsyslogOptions = {}): Promise<Rsyslog> {
    const receiver = new Rsyslog(options);
    await receiver.resume();
    return receiver;
  }

  /** Of datagrams. */
  get socket(): string {
    return join(this.#folder, 'log.sock');
  }
  /** Of a stream. */
  get streamSocket(): string {
    return join(this.#folder, 'stream.sock');
  }
  get file(): string {
    return join(this.#folder, 'received');
  }

  async resume(): Promise<void> {
    rmSync(this.streamSocket, { force: true });
    const child = spawn('rsyslogd', ['-n', '-f', join(this.#folder, 'rsyslog.conf'), '-i', join(this.#folder, 'pid')], {
      stdio: 'inherit',
    });
    this.#child = child;
    // It opens its inputs in the order of the configuration.
    for (let waitedMs = 0; !existsSync(this.streamSocket); waitedMs += 20) {
      if (child.exitCode !== null || waitedMs > 20_000) throw new Error(`rsyslogd did not begin (${child.exitCode})`);
      await sleep(20);
    }
  }

  /** SIGKILL: what it had in memory is gone. */
  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }

  /** SIGSTOP or SIGCONT: it is there and reads nothing. */
  pause(isPaused: boolean): void {
    this.#child?.kill(isPaused ? 'SIGSTOP' : 'SIGCONT');
  }

  messages(): readonly SyslogMessage[] {
    if (!existsSync(this.file)) return [];
    return readFileSync(this.file, 'utf8')
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line) as SyslogMessage);
  }

  /** Resolves when this holds of what was received. */
  async until(test: (messages: readonly SyslogMessage[]) => boolean, mostMs = 20_000): Promise<readonly SyslogMessage[]> {
    for (let waitedMs = 0; ; waitedMs += 20) {
      const messages = this.messages();
      if (test(messages)) return messages;
      if (waitedMs > mostMs) throw new Error(`rsyslogd has ${messages.length} messages: ${JSON.stringify(messages.slice(-3))}`);
      await sleep(20);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.pause(false);
    await this.kill('SIGTERM');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function configuration({ ports, socket, streamSocket, file }: Rsyslog, tls: RsyslogOptions['tls']): string {
  const secure =
    tls === undefined
      ? ''
      : `module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
input(type="imtcp" port="${ports.tls}" address="127.0.0.1")
global(defaultNetstreamDriverCAFile="${tls.ca}" defaultNetstreamDriverCertFile="${tls.cert}" defaultNetstreamDriverKeyFile="${tls.key}")`;
  const fields = { raw: 'rawmsg', msg: 'msg', pri: 'pri', host: 'hostname', tag: 'syslogtag', app: 'app-name', time: 'timereported' };
  const properties = Object.entries(fields).map(([outname, name]) => {
    const dates = name === 'timereported' ? ' dateFormat="rfc3339"' : '';
    return `property(outname="${outname}" name="${name}" format="jsonf"${dates})`;
  });
  return `global(workDirectory="${join(file, '..')}" maxMessageSize="64k" net.enableDNS="off")
template(name="json" type="list" option.jsonf="on") { ${properties.join('\n')} }
template(name="line" type="list") { property(name="$!line") constant(value="\\n") }
module(load="imudp")
input(type="imudp" port="${ports.udp}" address="127.0.0.1")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="${socket}" CreatePath="on" UseSpecialParser="off" ParseHostname="on" RateLimit.Interval="0")
${secure}
module(load="imptcp")
input(type="imptcp" port="${ports.tcp}" address="127.0.0.1")
input(type="imptcp" port="${ports.gelf}" address="127.0.0.1" addtlFrameDelimiter="0" supportOctetCountedFraming="off")
input(type="imptcp" path="${streamSocket}")
action(type="omfile" file="${file}" template="json" asyncWriting="off" flushOnTXEnd="on")
`;
}

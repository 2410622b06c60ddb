import { readFileSync } from 'node:fs';
import { arch, cpus, hostname, release, totalmem } from 'node:os';

export interface HostFacts {
  readonly hostname: string;
  readonly kernelVersion: string;
  readonly operatingSystem: string;
  readonly osVersion: string;
  /** uname's word: x86_64, aarch64. */
  readonly architecture: string;
  readonly cpus: number;
  readonly memoryBytes: number;
}

const machines: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64', ia32: 'i686', arm: 'armv7l' };

/** What the machine is; read once, when somebody asks. */
export function hostFacts(): HostFacts {
  facts ??= read();
  return { ...facts, hostname: hostname() };
}

let facts: HostFacts | undefined;

function read(): HostFacts {
  const release_ = osRelease();
  return {
    hostname: hostname(),
    kernelVersion: release(),
    operatingSystem: release_['PRETTY_NAME'] ?? 'Linux',
    osVersion: release_['VERSION_ID'] ?? '',
    architecture: machines[arch()] ?? arch(),
    cpus: cpus().length,
    memoryBytes: totalmem(),
  };
}

/** os-release(5). */
function osRelease(): Readonly<Record<string, string>> {
  let text: string;
  try {
    text = readFileSync('/etc/os-release', 'utf8');
  } catch {
    return {};
  }
  return Object.fromEntries([...text.matchAll(/^([A-Z_]+)="?([^"\n]*)"?$/gm)].map(([, key = '', value = '']) => [key, value]));
}

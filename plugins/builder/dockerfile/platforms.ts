import { arch } from 'node:process';

/** BUILDPLATFORM, TARGETARCH, …: known without being given. */
export function platformArguments(target: string): ReadonlyMap<string, string> {
  const host = hostPlatform();
  return new Map([...named('BUILD', host), ...named('TARGET', target === '' ? host : target)]);
}

/** This machine's. */
export function hostPlatform(): string {
  const words: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', arm64: 'arm64', ppc64: 'ppc64le' };
  return `linux/${words[arch] ?? arch}`;
}

function named(prefix: string, platform: string): readonly (readonly [string, string])[] {
  const [os = '', architecture = '', variant = ''] = platform.split('/');
  return [
    [`${prefix}PLATFORM`, platform],
    [`${prefix}OS`, os],
    [`${prefix}ARCH`, architecture],
    [`${prefix}VARIANT`, variant],
  ];
}

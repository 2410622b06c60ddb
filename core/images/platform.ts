import { type GantryError, invalidArgument, notFound } from '@gantry/sdk';

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** The platform of this machine, in the words of images. */
export function hostPlatform(): Platform {
  const architecture = ({ x64: 'amd64', ia32: '386', ppc64: 'ppc64le' } as Readonly<Record<string, string>>)[process.arch] ?? process.arch;
  return architecture === 'arm64' ? { os: 'linux', architecture, variant: 'v8' } : { os: 'linux', architecture };
}

/** "linux/arm64/v8", "linux", "arm64". */
export function parsePlatform(text: string): Platform {
  const platform = readPlatform(text);
  if (platform.os !== 'linux') throw invalidArgument(`cannot use an image for ${platform.os} on linux`);
  return platform;
}

/** As `parsePlatform`, of whatever operating system: there is no image for it here. */
export function readPlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/');
  const isKnown = parts.length <= 3 && parts.every((part) => /^[a-z0-9_.-]+$/.test(part));
  if (!isKnown) throw invalidArgument(`${JSON.stringify(text.slice(0, 80))}: unknown operating system or architecture: invalid argument`);
  const host = hostPlatform();
  const [first = '', second, variant] = parts;
  if (second === undefined) return first === 'linux' ? host : { os: 'linux', architecture: normalised(first) };
  return { os: first, architecture: normalised(second), ...(variant === undefined ? {} : { variant }) };
}

/** Whether an image for `offered` is what `wanted` asks for; what is not said fits. */
export function fits(offered: Partial<Platform>, wanted: Platform): boolean {
  return (
    (offered.os ?? '') === wanted.os &&
    normalised(offered.architecture ?? '') === wanted.architecture &&
    (offered.variant === undefined || wanted.variant === undefined || offered.variant === '' || offered.variant === wanted.variant)
  );
}

/** The one that is said to be for just this platform, else the first that fits; without a platform of its own anything may be meant. */
export function bestFit<T>(offers: readonly T[], platformOf: (offer: T) => Partial<Platform> | undefined, wanted: Platform): T | undefined {
  const fitting = offers.filter((offer) => {
    const platform = platformOf(offer);
    return platform !== undefined && fits(platform, wanted);
  });
  const exact = fitting.find((offer) => (platformOf(offer)?.variant ?? '') === (wanted.variant ?? ''));
  return exact ?? fitting[0] ?? offers.find((offer) => platformOf(offer) === undefined);
}

/** What is here is for other platforms: `not_found` in Docker's words, which clients take for a reason to pull. */
export function noneFor(name: string, offered: readonly Partial<Platform>[], wanted: Platform): GantryError {
  const shown = [...new Set(offered.map(platformText))].join(', ');
  const differs = offered.length > 1 ? `platforms (${shown}) do not match` : `platform (${shown}) does not match`;
  return notFound(`image with reference ${name} was found but its ${differs} the specified platform (${platformText(wanted)})`);
}

export function platformText({ os = '', architecture = '', variant = '' }: Partial<Platform>): string {
  return [os, architecture, ...(variant === '' ? [] : [variant])].join('/');
}

function normalised(architecture: string): string {
  const names: Readonly<Record<string, string>> = { x86_64: 'amd64', 'x86-64': 'amd64', aarch64: 'arm64', i386: '386' };
  return Object.hasOwn(names, architecture) ? (names[architecture] ?? '') : architecture;
}

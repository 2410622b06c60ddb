import { invalidArgument, notFound } from '@gantry/sdk';

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
  const parts = text.toLowerCase().split('/');
  const isKnown = parts.length <= 3 && parts.every((part) => /^[a-z0-9_.-]+$/.test(part));
  if (!isKnown) throw invalidArgument(`${JSON.stringify(text.slice(0, 80))}: unknown operating system or architecture: invalid argument`);
  const host = hostPlatform();
  const [first = '', second, variant] = parts;
  if (second === undefined) return first === 'linux' ? host : { os: 'linux', architecture: normalised(first) };
  if (first !== 'linux') throw invalidArgument(`cannot use an image for ${first} on linux`);
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

/** `not_found` in Docker's words, which clients take for a reason to pull, when the image that is here is for another platform. */
export function requirePlatform(name: string, offered: Partial<Platform>, wanted: string): void {
  const platform = parsePlatform(wanted);
  if (fits(offered, platform)) return;
  const { os = '', architecture = '', variant } = offered;
  const shown = platformText({ os, architecture, ...(variant !== undefined && variant !== '' && { variant }) });
  throw notFound(
    `image with reference ${name} was found but its platform (${shown}) does not match the specified platform (${platformText(platform)})`,
  );
}

export function platformText({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

function normalised(architecture: string): string {
  const names: Readonly<Record<string, string>> = { x86_64: 'amd64', 'x86-64': 'amd64', aarch64: 'arm64', i386: '386' };
  return Object.hasOwn(names, architecture) ? (names[architecture] ?? '') : architecture;
}

import type { Runtime } from './runtimes.ts';

/** Why an administrator should update this runtime, or undefined. Distributions may have patched an old version: it is a warning, no refusal. */
export function knownVulnerability(kind: Runtime['kind'], version: string): string | undefined {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.+~-]/).map(Number);
  if (Number.isNaN(major + minor)) return undefined;
  const isOld = kind === 'runc' ? isOldRunc(major, minor, patch) : kind === 'crun' && major === 1 && minor < 20;
  if (!isOld) return undefined;
  const advisories = kind === 'runc' ? 'CVE-2024-45310, CVE-2025-31133, CVE-2025-52565, CVE-2025-52881' : 'CVE-2025-24965';
  return `${kind} ${version} is older than the fixes for ${advisories}; install a newer one unless your distribution patched it`;
}

/** Fixed in 1.2.8, 1.3.3 and 1.4.0. */
function isOldRunc(major: number, minor: number, patch: number): boolean {
  if (major !== 1) return major < 1;
  if (minor === 2) return patch < 8;
  if (minor === 3) return patch < 3;
  return minor < 2;
}

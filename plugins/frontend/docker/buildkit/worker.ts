export const version = { package: 'gantry', version: 'v0.13.0', revision: '' };

/** By this label buildx tells engines that export archives, push, and keep caches elsewhere from those that do not. */
const workerLabels = { 'org.mobyproject.buildkit.worker.snapshotter': 'gantry' };

/** This machine, as BuildKit's clients see what builds. */
export function worker(): object {
  return { ID: 'gantry', labels: workerLabels, platforms: [{ os: 'linux', architecture: hostArchitecture() }], version };
}

/** In OCI's words. */
export function hostArchitecture(): string {
  return ({ x64: 'amd64', ia32: '386', ppc64: 'ppc64le' } as Readonly<Record<string, string>>)[process.arch] ?? process.arch;
}

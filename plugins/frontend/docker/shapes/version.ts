import type { System } from '@gantry/sdk/engine';
import { apiVersion, minApiVersion } from '../http/headers.ts';
import { goArchitecture } from './info.ts';

/** GET /version. */
export function versionDocument({ version, components, kernelVersion, buildTime }: Awaited<ReturnType<System['version']>>) {
  const arch = goArchitecture();
  const engine = {
    Name: 'Engine',
    Version: version,
    Details: {
      ApiVersion: apiVersion,
      Arch: arch,
      BuildTime: buildTime,
      Experimental: 'false',
      GitCommit: '',
      GoVersion: `node ${process.version}`,
      KernelVersion: kernelVersion,
      MinAPIVersion: minApiVersion,
      Os: 'linux',
    },
  };
  return {
    Platform: { Name: 'Gantry' },
    Components: [
      engine,
      ...components.map((component) => ({ Name: component.name, Version: component.version, Details: { GitCommit: '' } })),
    ],
    Version: version,
    ApiVersion: apiVersion,
    MinAPIVersion: minApiVersion,
    GitCommit: '',
    GoVersion: `node ${process.version}`,
    Os: 'linux',
    Arch: arch,
    KernelVersion: kernelVersion,
    BuildTime: buildTime,
  };
}

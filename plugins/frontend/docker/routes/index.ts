import { buildRoutes } from './build.ts';
import { buildHistoryRoutes } from './build-history.ts';
import { containerRoutes } from './containers/index.ts';
import { execRoutes } from './exec.ts';
import { imageRoutes } from './images/index.ts';
import { networkRoutes } from './networks.ts';
import { pluginRoutes } from './plugins/index.ts';
import { registryRoutes } from './registry.ts';
import type { Route } from './route.ts';
import { systemRoutes } from './system/index.ts';
import { ownVolumeRoutes, volumeRoutes } from './volumes.ts';

/** Every route of the API, by noun. */
export const routes: readonly Route[] = [
  ...systemRoutes,
  ...containerRoutes,
  ...execRoutes,
  ...imageRoutes,
  ...volumeRoutes,
  ...ownVolumeRoutes,
  ...networkRoutes,
  ...buildRoutes,
  ...buildHistoryRoutes,
  ...registryRoutes,
  ...pluginRoutes,
];

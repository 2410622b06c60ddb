import type { Route } from '../route.ts';
import { driverRoutes } from './drivers.ts';
import { fetchRoutes } from './fetch.ts';
import { lookRoutes } from './look.ts';
import { ownFetchRoutes } from './own-fetch.ts';
import { stateRoutes } from './state.ts';

/** Docker's /plugins, and below /gantry/v1/plugins what Docker has no word for. */
export const pluginRoutes: readonly Route[] = [...lookRoutes, ...stateRoutes, ...fetchRoutes, ...ownFetchRoutes, ...driverRoutes];

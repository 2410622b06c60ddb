export { blamed, blaming, invalidPlan } from './blame.ts';
export { placeOf } from './helper-request.ts';
export { dropLimits, limitMount, whyNoProjectQuota } from './limits.ts';
export { dataPathOf, dataPathsOf, isMounted, makeMounts, type MountRequest, unmount } from './make.ts';
export { openPlace } from './places.ts';
export type {
  CheckedHelper,
  HelperRun,
  HelperRunner,
  HelperStart,
  HelperUser,
  MountGrants,
  MountTools,
} from './types.ts';

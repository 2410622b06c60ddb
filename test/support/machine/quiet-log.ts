import type { Logger } from '@gantry/sdk';

const quiet = (): void => {};

/** A log nobody reads. */
export const quietLog: Logger = { debug: quiet, info: quiet, warn: quiet, error: quiet, child: () => quietLog };

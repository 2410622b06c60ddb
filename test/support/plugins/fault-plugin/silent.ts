import type { Logger } from '@gantry/sdk';

export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

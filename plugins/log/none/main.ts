import { definePlugin } from '@gantry/sdk';
import { noneDriver } from './driver.ts';

export default definePlugin({ activate: async () => ({ drivers: { log: { none: noneDriver } } }) });

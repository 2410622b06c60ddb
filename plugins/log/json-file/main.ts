import { definePlugin } from '@gantry/sdk';
import { JsonFileDriver } from './driver.ts';

export default definePlugin({ activate: async () => ({ drivers: { log: { 'json-file': new JsonFileDriver() } } }) });

import { invalidArgument, notImplemented } from '@gantry/sdk';
import type { Registries } from '@gantry/sdk/engine';
import { searchFilter, searchQuestion } from './search.ts';
import { driverContext, type Drivers } from './drivers/index.ts';
import type { Logger } from '@gantry/sdk';

/** Questions to registries that are about no image, put by the transport driver. */
export function registries({ drivers, log }: { readonly drivers: Drivers; readonly log: Logger }): Registries {
  return {
    async login(auth, { signal } = {}) {
      const host = hostOf(auth.serverAddress);
      const driver = await drivers.get('transport', await drivers.preferred('transport'));
      if (driver.login === undefined) throw notImplemented('the transport driver cannot check credentials');
      await driver.login({ host, auth }, driverContext(log, signal));
    },
    async search(term, { limit, filters = {}, auth, signal } = {}) {
      const question = searchQuestion(term, limit);
      const wanted = searchFilter(filters);
      const driver = await drivers.get('transport', await drivers.preferred('transport'));
      if (driver.search === undefined) throw notImplemented('the transport driver cannot search');
      const { results } = await driver.search({ ...question, auth }, driverContext(log, signal));
      return results.filter(wanted);
    },
  };
}

/** As Docker's clients name servers: "reg:5000", "https://reg/v1/"; Docker Hub by its old address. */
function hostOf(address = ''): string {
  const host = address.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  if (/[\s@?#]/.test(host)) throw invalidArgument(`${JSON.stringify(address.slice(0, 100))} is not the address of a registry`);
  return host === '' || hub.has(host) ? 'docker.io' : host;
}

const hub = new Set(['index.docker.io', 'registry-1.docker.io', 'docker.io']);

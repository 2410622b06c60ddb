import type { Plugin } from 'esbuild';

/**
 * What fastify loads only for schemas and for its own tests, which the Docker front end has none of: 40 % of its code. A call would say so
 * at once, and the front end's tests run on the built engine too (test/e2e/build.test.ts).
 */
const unused = /^(light-my-request|@fastify\/ajv-compiler|@fastify\/fast-json-stringify-compiler)$/;

export const leaveOutUnused: Plugin = {
  name: 'leave out unused',
  setup(build) {
    build.onResolve({ filter: unused }, ({ path }) => ({ path, namespace: 'left-out' }));
    build.onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => ({ contents: `throw new Error('${path} is not in this build');` }));
  },
};

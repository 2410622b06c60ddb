import type { Manifest } from '../manifest.ts';
import type { Plan } from './plan.ts';

/** The driver that a new plugin begins with: the code after the imports, and what the manifest says of it. */
export interface Sample {
  /** Names from @gantry/sdk/author. */
  readonly imports: readonly string[];
  readonly code: (name: string) => string;
  readonly manifest: Partial<Manifest>;
  /** Some cases, as an example of --only. */
  readonly first: string;
  /** The cases that it can pass before its author has a back end for it; absent: all. */
  readonly only?: readonly string[];
}

const text = { type: 'string', minLength: 1 } as const;
const object = (properties: Readonly<Record<string, object>>, required: readonly string[] = []) =>
  ({ type: 'object', properties, required, additionalProperties: false }) as const;

export const samples: Readonly<Record<Plan['kind'], Sample>> = {
  volume: {
    imports: ['mount', 't', 'volume'],
    code: (name) => `export default volume({
  name: '${name}',
  description: 'Volumes on an NFS server.',
  // What users may give with -o. Anything else is refused by name.
  options: { server: t.String({ format: 'host' }), path: t.String({ format: 'absolute-path' }), vers: t.String({ default: '4.2' }) },
  privileges: { mountTypes: ['nfs4'], network: 'host' },
  // The engine mounts what is described here, and unmounts it even when this plugin is gone.
  attach: (v, req) => [mount.nfs4(\`\${v.options.server}:\${v.options.path}\`, ['soft', \`vers=\${v.options.vers}\`], req.readOnly)],
});
`,
    first: 'volume.attach.*',
    manifest: {
      description: 'Volumes on an NFS server.',
      options: {
        volume: object(
          { server: { ...text, format: 'host' }, path: { ...text, format: 'absolute-path' }, vers: { ...text, default: '4.2' } },
          ['server', 'path'],
        ),
      },
      privileges: { mountTypes: ['nfs4'], network: 'host' },
    },
  },
  graph: {
    imports: ['bind', 'graph', 'overlay'],
    code: (name) => `export default graph({
  name: '${name}',
  description: 'Image layers by overlayfs.',
  prepare: ({ key }, { data }) => data.mkdirs(\`\${key}/fs\`, \`\${key}/work\`),
  commit: ({ key, name }, { data }) => data.rename(key, name),
  remove: ({ key }, { data }) => data.remove(key),
  attach: ({ key, chain, readOnly }) => {
    const own = \`\${key}/fs\`;
    const parents = chain.map((parent) => \`\${parent}/fs\`);
    if (parents.length === 0) return [bind(own, readOnly ? 'ro' : 'rw')];
    return [readOnly ? overlay({ lower: [own, ...parents] }) : overlay({ lower: parents, upper: own, work: \`\${key}/work\` })];
  },
  list: (_, { data }) => data.dirs(),
});
`,
    first: 'graph.attach.*',
    manifest: { description: 'Image layers by overlayfs.' },
  },
  network: {
    imports: ['network', 't'],
    code: (name) => `export default network({
  name: '${name}',
  description: 'A bridge per network.',
  options: { mtu: t.Optional(t.Integer({ minimum: 68, maximum: 65_535 })) },
  createNetwork: (n) => ({
    links: [{ kind: 'bridge', name: \`gb-\${n.id.slice(0, 12)}\`, mtu: n.options.mtu, addresses: n.subnets.map((s) => s.gatewayCidr) }],
    nat: n.internal ? [] : n.subnets.map((s) => ({ fromCidr: s.cidr })),
  }),
  attach: (n, ep) => ({
    link: { kind: 'veth', master: \`gb-\${n.id.slice(0, 12)}\`, name: ep.ifname, mtu: n.options.mtu },
    mac: ep.mac,
    addresses: ep.addresses,
    routes: n.internal ? [] : n.subnets.map((s) => ({ to: s.v6 ? '::/0' : '0.0.0.0/0', via: s.gateway })),
  }),
});
`,
    first: 'network.create.*',
    manifest: {
      description: 'A bridge per network.',
      options: { network: object({ mtu: { type: 'integer', minimum: 68, maximum: 65_535 } }) },
    },
  },
  ipam: {
    imports: ['ipam', 't'],
    code: (name) => `export default ipam({
  name: '${name}',
  description: 'Addresses from a service.',
  // gantry plugin set ${name} url=https://… token=…
  settings: { url: t.String({ format: 'uri' }), token: t.Secret() },
  privileges: { network: 'host' },
  requestPool: (r, c) => c.http.post('/pools', r),
  releasePool: (r, c) => c.http.delete(\`/pools/\${encodeURIComponent(r.poolId)}\`),
  requestAddress: (r, c) => c.http.post(\`/pools/\${encodeURIComponent(r.poolId)}/addresses\`, r),
  releaseAddress: (r, c) => c.http.delete(\`/pools/\${encodeURIComponent(r.poolId)}/addresses/\${encodeURIComponent(r.owner)}\`),
});
`,
    first: 'plugin.*',
    only: ['plugin.manifest.*', 'plugin.ready.*', 'plugin.selftest.*'],
    manifest: {
      description: 'Addresses from a service.',
      settings: object({ url: { ...text, format: 'uri' }, token: { ...text, 'x-secret': true } }, ['url', 'token']),
      privileges: { network: 'host' },
    },
  },
  log: {
    imports: ['log', 't'],
    code: (name) => `export default log({
  name: '${name}',
  description: 'Output as one file per container.',
  options: { prefix: t.String({ default: '' , minLength: 0 }) },
  // Throwing keeps the batch in the engine's spool, which tries again; the container never notices.
  async write(batch, { options, container, data }) {
    const lines = batch.entries.map((e) => \`\${e.time} \${options.prefix}\${e.text}\${e.partial ? '' : '\\n'}\`);
    await data.append(\`\${container.id}.log\`, lines.join(''));
  },
  purge: ({ container }, { data }) => data.remove(\`\${container.id}.log\`),
});
`,
    first: 'log.write.*',
    manifest: {
      description: 'Output as one file per container.',
      options: { log: object({ prefix: { ...text, minLength: 0, default: '' } }) },
    },
  },
  exec: {
    imports: ['ociRuntime'],
    code: (name) => `// docker run --runtime ${name} …: the engine runs it, and its containers live on without this plugin.
export default ociRuntime({ name: '${name}', binary: 'crun', flags: [] });
`,
    first: 'exec.start.*',
    manifest: { description: 'Runs containers with crun.', privileges: { runtimes: ['crun'] } },
  },
};

import { bind, graph, overlay } from '@gantry/sdk/author';

/** Image layers as folders that overlayfs lays over each other. */
export default graph({
  name: 'overlay-mini',
  prepare: ({ key }, { data }) => data.mkdirs(`${key}/fs`, `${key}/work`),
  commit: ({ key, name }, { data }) => data.rename(key, name),
  remove: ({ key }, { data }) => data.remove(key),
  attach: ({ key, chain, readOnly }) => {
    const own = `${key}/fs`;
    const parents = chain.map((parent) => `${parent}/fs`);
    if (parents.length === 0) return [bind(own, readOnly ? 'ro' : 'rw')];
    return [readOnly ? overlay({ lower: [own, ...parents] }) : overlay({ lower: parents, upper: own, work: `${key}/work` })];
  },
  list: (_, { data }) => data.dirs(),
});

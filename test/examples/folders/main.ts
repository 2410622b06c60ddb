import { bind, t, volume } from '@gantry/sdk/author';

/** Volumes as folders, with an owner if wished. */
export default volume({
  name: 'folders',
  // Containers write as whom they like, and who removes a volume removes that too.
  privileges: { user: 'root', capabilities: ['CAP_DAC_OVERRIDE', 'CAP_FOWNER'] },
  options: { colour: t.Optional(t.Enum(['red', 'green'])) },
  create: (v, { data }) => data.mkdirs(v.name),
  remove: (v, { data }) => data.remove(v.name),
  rename: (v, { to }, { data }) => data.rename(v.name, to),
  attach: (v, req) => [bind(v.name, req.readOnly ? 'ro' : 'rw')],
});

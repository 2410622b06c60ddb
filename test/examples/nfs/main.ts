import { mount, t, volume } from '@gantry/sdk/author';

/** Volumes on an NFS server. */
export default volume({
  name: 'nfs',
  options: t.Object({
    server: t.String({ format: 'host' }),
    path: t.String({ format: 'absolute-path' }),
    vers: t.String({ default: '4.2' }),
  }),
  privileges: { mountTypes: ['nfs4'] },
  attach: (v, req) => [mount.nfs4(`${v.options.server}:${v.options.path}`, ['soft', `vers=${v.options.vers}`], req.readOnly)],
});

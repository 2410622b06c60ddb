import { ipam, t } from '@gantry/sdk/author';

/** Addresses from a service in the network. */
export default ipam({
  name: 'phpipam',
  settings: t.Object({ url: t.String({ format: 'uri' }), token: t.Secret() }),
  privileges: { network: 'host' },
  requestPool: (r, c) => c.http.post('/pools', r),
  releasePool: (r, c) => c.http.delete(`/pools/${encodeURIComponent(r.poolId)}`),
  requestAddress: (r, c) => c.http.post(`/pools/${encodeURIComponent(r.poolId)}/addresses`, r),
  releaseAddress: (r, c) => c.http.delete(`/pools/${encodeURIComponent(r.poolId)}/addresses/${encodeURIComponent(r.owner)}`),
});

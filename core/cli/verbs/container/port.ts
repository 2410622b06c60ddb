import { notFound } from '@gantry/sdk/errors';
import { verb } from '../../verb.ts';

export const port = verb({
  arguments: '<container> [port]',
  notes: "The port is that inside the container: '80' or '53/udp'.",
  async action(context, [name = '', wanted]) {
    const { containers } = await context.client();
    const { NetworkSettings } = await containers.inspect(name);
    const ports = Object.entries(NetworkSettings?.Ports ?? {});
    const key = wanted === undefined || wanted.includes('/') ? wanted : `${wanted}/tcp`;
    const shown = ports.filter(([inside]) => key === undefined || inside === key);
    for (const [inside, published] of shown) {
      for (const { HostIp, HostPort } of published ?? []) {
        const outside = `${HostIp.includes(':') ? `[${HostIp}]` : HostIp}:${HostPort}`;
        context.print(key === undefined ? `${inside} -> ${outside}` : outside);
      }
    }
    const isPublished = shown.some(([, published]) => (published ?? []).length > 0);
    if (key !== undefined && !isPublished) throw notFound(`no public port '${wanted ?? ''}' published for ${name}`);
  },
});

/** The other one of two machines that share a network: an engine's networks in the namespace that this program is started in. Ends with its stdin. */
import { Machine } from './machine.ts';

const [local = '', remote = '', gateway = '', range = ''] = process.argv.slice(2);
await using machine = await Machine.start();
await machine.room.create({
  name: 'wide',
  driver: 'vxlan',
  options: { vxlan_id: '42', local, remotes: remote },
  ipam: { Config: [{ Subnet: '10.60.0.0/24', IPRange: range, Gateway: gateway }] },
});
const far = await machine.run('far', { hostConfig: { NetworkMode: 'wide' } });
await far.serve(80);
process.stdout.write(`${far.address}\n`);
for await (const _part of process.stdin) continue;

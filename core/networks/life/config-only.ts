import { alreadyExists, forbidden, notFound } from '@gantry/sdk';
import type { CreateNetwork } from '@gantry/sdk/engine';
import { randomId } from '../../support/index.ts';
import type { NetworkRecord } from '../documents.ts';
import type { Tools } from '../tools.ts';

/** What inspect shows as the driver of a network that nobody can be on. */
const noDriver = 'null';

/** Keeps the wishes for a network that others are made of, by `configFrom`. No driver hears of it, and no subnet is taken. */
export function createConfigOnly({ books, now }: Tools, request: CreateNetwork): NetworkRecord {
  const { name, internal = false, attachable = false, configFrom = '', ipam = {}, options = {}, labels = {} } = request;
  if (configFrom !== '') throw forbidden('a configuration network cannot depend on another configuration network');
  if (internal || attachable) {
    throw forbidden(
      'configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.',
    );
  }
  if (books.named(name) !== undefined) throw alreadyExists(`network with name ${name} already exists`);
  const id = randomId();
  const { ipv4 = true, ipv6 = false } = request;
  const network = { id, name, subnets: [], internal, ipv4, ipv6, attachable, options, labels };
  const record: NetworkRecord = {
    id,
    name,
    document: {
      created: now(),
      driver: noDriver,
      isPredefined: false,
      configOnly: true,
      ipv4,
      ipam: { Driver: ipam.Driver || 'default', Options: ipam.Options ?? null, Config: ipam.Config ?? [] },
      ipamDriver: '',
      pools: [],
      plan: { network, links: [], masquerade: [] },
      hasUserSubnets: false,
    },
  };
  books.putNetwork(record);
  return record;
}

/** The request with what its configuration network says. What that says may not be said again. */
export function withConfigFrom({ books }: Tools, request: CreateNetwork): CreateNetwork {
  const { configFrom = '', ipam = {}, ipv6 = false, options = {}, labels = {} } = request;
  if (configFrom === '') return request;
  const config = books.named(configFrom);
  if (config?.document.configOnly !== true) throw notFound(`configuration network "${configFrom}" does not exist`);
  const isSaid =
    ipv6 || [ipam.Config ?? [], Object.keys(ipam.Options ?? {}), Object.keys(options), Object.keys(labels)].some((said) => said.length > 0);
  if (isSaid || !['', 'default'].includes(ipam.Driver ?? '')) {
    throw forbidden('user specified configurations are not supported if the network depends on a configuration network');
  }
  const { ipv4, ipam: wishes, plan } = config.document;
  return { ...request, ipv4, ipv6: plan.network.ipv6, ipam: wishes, options: plan.network.options, labels: plan.network.labels };
}

/** Refuses to take a configuration network away under those that were made of it. */
export function checkUnused({ books }: Tools, { name, document }: NetworkRecord): void {
  if (document.configOnly !== true) return;
  const users = books.networks.filter((network) => network.document.configFrom === name);
  if (users.length === 0) return;
  throw forbidden(`configuration network "${name}" is in use by ${users.map((user) => user.name).join(', ')}`);
}

/** No container can be on a configuration network. */
export function refuseConfigOnly({ name, document }: NetworkRecord): void {
  if (document.configOnly === true) throw forbidden(`cannot create endpoint on configuration-only network ${name}`);
}

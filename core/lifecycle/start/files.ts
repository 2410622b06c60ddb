import { chownSync, writeFileSync } from 'node:fs';
import type { FileOwner } from '@gantry/sdk/linux';
import type { Sandbox } from '../../networks/types.ts';
import type { SpecMount } from '../oci-spec/index.ts';

const standardHosts = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff00::\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];

/** Writes /etc/hostname, /etc/hosts and /etc/resolv.conf of a container and answers the mounts that put them there. They are made anew at each start. */
export function writeContainerFiles(
  paths: { readonly hostname: string; readonly hosts: string; readonly resolvConf: string },
  {
    hostname,
    domainname,
    sandbox,
    owner = { uid: 0, gid: 0 },
  }: {
    readonly hostname: string;
    readonly domainname: string;
    readonly sandbox: Sandbox;
    /** Root of the container, when that is not the machine's. */
    readonly owner?: FileOwner | undefined;
  },
): readonly SpecMount[] {
  const fullName = domainname === '' ? hostname : `${hostname}.${domainname}`;
  const mounts = [
    [paths.resolvConf, sandbox.resolvConf, '/etc/resolv.conf'],
    [paths.hostname, `${fullName}\n`, '/etc/hostname'],
    [paths.hosts, `${[...standardHosts, ...sandbox.hostsEntries].join('\n')}\n`, '/etc/hosts'],
  ] as const;
  return mounts.map(([source, text, destination]) => {
    writeFileSync(source, text, { mode: 0o644 });
    chownSync(source, owner.uid, owner.gid);
    return { destination, type: 'bind', source, options: ['rbind', 'rprivate'] };
  });
}

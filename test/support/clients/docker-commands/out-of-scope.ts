/** What the CLI has and the engine does not, why, and what it is told who tries: with these words the CLI must fail so. */
export interface OutOfScope {
  readonly because: string;
  readonly words?: readonly string[];
  readonly input?: string;
  /** What has to be done before. */
  readonly first?: readonly string[];
  readonly says?: RegExp;
}

const isSwarm = {
  because: 'swarm mode is not ours: Kubernetes is',
  says: /this node is not a swarm manager/i,
};
const isTrust = { because: 'signatures are between the client and a Notary server: the engine is not asked' };
const isCheckpoint = {
  because: 'checkpoints are a later feature of exec drivers',
  says: /only supported on a Docker daemon with experimental features enabled/,
};
/** A file that is there, for commands that read one before they ask. */
const file = import.meta.filename;

export const outOfScope: Readonly<Record<string, OutOfScope>> = {
  'checkpoint create': { ...isCheckpoint, words: ['c', 'checkpoint'] },
  'checkpoint ls': { ...isCheckpoint, words: ['c'] },
  'checkpoint rm': { ...isCheckpoint, words: ['c', 'checkpoint'] },
  'config create': { ...isSwarm, words: ['x', file] },
  'config inspect': { ...isSwarm, words: ['x'] },
  'config ls': isSwarm,
  'config rm': { ...isSwarm, words: ['x'] },
  'node demote': { ...isSwarm, words: ['x'] },
  'node inspect': { ...isSwarm, words: ['self'] },
  'node ls': isSwarm,
  'node promote': { ...isSwarm, words: ['x'] },
  'node ps': isSwarm,
  'node rm': { ...isSwarm, words: ['x'] },
  'node update': { ...isSwarm, words: ['x'] },
  'secret create': { ...isSwarm, words: ['x', file] },
  'secret inspect': { ...isSwarm, words: ['x'] },
  'secret ls': isSwarm,
  'secret rm': { ...isSwarm, words: ['x'] },
  'service create': { ...isSwarm, words: ['busybox'] },
  'service inspect': { ...isSwarm, words: ['x'] },
  'service logs': { ...isSwarm, words: ['x'] },
  'service ls': isSwarm,
  'service ps': { ...isSwarm, words: ['x'] },
  'service rm': { ...isSwarm, words: ['x'] },
  'service rollback': { ...isSwarm, words: ['x'] },
  'service scale': { ...isSwarm, words: ['x=2'] },
  'service update': { ...isSwarm, words: ['x'] },
  'stack config': { because: 'it reads a file and asks no engine' },
  'stack deploy': { ...isSwarm, words: ['-c', '-', 'x'], input: 'version: "3"\nservices: { a: { image: busybox } }\n' },
  'stack ls': isSwarm,
  'stack ps': { ...isSwarm, words: ['x'] },
  'stack rm': { ...isSwarm, words: ['x'] },
  'stack services': { ...isSwarm, words: ['x'] },
  'swarm ca': isSwarm,
  'swarm init': isSwarm,
  'swarm join': { ...isSwarm, words: ['--token', 'x', '127.0.0.1:1'] },
  'swarm join-token': { ...isSwarm, words: ['worker'] },
  'swarm leave': isSwarm,
  'swarm unlock': { ...isSwarm, says: /This node is not part of a swarm/ },
  'swarm unlock-key': isSwarm,
  'swarm update': { ...isSwarm, words: ['--autolock'] },
  'trust inspect': isTrust,
  'trust revoke': isTrust,
  'trust sign': isTrust,
  'trust key generate': isTrust,
  'trust key load': isTrust,
  'trust signer add': isTrust,
  'trust signer remove': isTrust,
  'volume update': {
    because: 'it changes volumes of a swarm',
    first: ['volume', 'create', 'plain'],
    words: ['--availability', 'drain', 'plain'],
    says: /cluster volumes/i,
  },
};

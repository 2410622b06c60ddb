import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';

/** Every command that the help of the docker CLI names, "container ls" for one below another. Commands of its plugins (compose, buildx) are other programs'. */
export function commandNames(): readonly string[] {
  return namesBelow([]);
}

/** Help has sections "Commands:", "Management Commands:" and the like; what manages has commands of its own. */
function namesBelow(words: readonly string[]): readonly string[] {
  const help = helpOf(words);
  return [...help.matchAll(/^(.*)ommands:\n((?: {2}.*\n)+)/gm)].flatMap(([, title = '', lines = '']) => {
    const names = [...lines.matchAll(/^ {2}([a-z-]+) /gm)].map(([, name = '']) => [...words, name]);
    const isBranch = /^(Management|Swarm) C$/.test(title);
    return isBranch ? names.flatMap(namesBelow) : names.map((name) => name.join(' '));
  });
}

/** Without a daemon, which would have it leave out what that cannot do. */
function helpOf(words: readonly string[]): string {
  const env = { ...process.env, DOCKER_HOST: 'unix:///nowhere.sock', DOCKER_CONFIG: tmpdir() };
  return spawnSync('docker', [...words, '--help'], { encoding: 'utf8', env }).stdout;
}

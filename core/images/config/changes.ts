import { invalidArgument } from '@gantry/sdk';
import { applyInstruction, instructionNames } from '@gantry/sdk/builder';
import type { ContainerConfig } from '@gantry/sdk/engine';

/**
 * A config after Dockerfile instructions, as `docker commit --change` and `docker import --change` take them, in their order: CMD
 * ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR. `invalid_argument` in Docker's words.
 */
export function applyChanges(config: ContainerConfig, changes: readonly string[]): ContainerConfig {
  return changes
    .flatMap((change) => change.split('\n'))
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .reduce(applyLine, config);
}

function applyLine(config: ContainerConfig, line: string): ContainerConfig {
  const [, word = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(line) ?? [];
  const name = instructionNames.find((known) => known === word.toUpperCase());
  if (name === undefined) throw invalidArgument(`${word.slice(0, 80)} is not a valid change command`);
  if (rest === '') throw invalidArgument(`${name} requires at least one argument`);
  return applyInstruction(name, config, rest);
}

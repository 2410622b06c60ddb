import type { HelperStart } from '@gantry/sdk/mounts';
import type { HelperGrants } from '../drivers/types.ts';
import { type HelperProcess, launchHelper } from '../plugin-launch/index.ts';
import { failpoint } from '../support/index.ts';

export interface HelperFacts {
  readonly plugin: string;
  /** Names its cgroup. */
  readonly instance: string;
  readonly granted: HelperGrants;
  readonly cgroupParent: string | undefined;
  /** Where it prints to; `say` puts a line in as if it had said it. */
  readonly output: { readonly descriptor: number; readonly say: (line: string) => void };
}

/** Starts a mount's helper in a sandbox, as its plugin's user and within its plugin's limits. */
export async function startHelper(
  { helper, device, places, signal }: HelperStart,
  { plugin, instance, granted, cgroupParent, output }: HelperFacts,
): Promise<HelperProcess> {
  const { argv, env, files, capabilities } = helper;
  const { uid, network, codeDir, resources } = granted;
  const started = await launchHelper(
    {
      name: plugin,
      instance,
      argv,
      env,
      codeDir,
      uid,
      gid: uid,
      privileges: { network, capabilities, user: uid === 0 ? 'root' : 'own' },
      resources,
      ...(cgroupParent === undefined ? {} : { cgroupParent }),
      output: output.descriptor,
      device,
      places,
      files,
      say: output.say,
    },
    { signal },
  );
  failpoint('helper.started');
  return started;
}

import { invalidArgument } from '@gantry/sdk';
import type { ContainerConfig } from '@gantry/sdk/engine';

/**
 * The user's config over the image's, by Docker's rules: an entrypoint of the user's makes the image's command void, `[""]` clears the
 * entrypoint, variables and labels merge by name, ports and volumes add up. Fails with "no command specified" when nothing is left to run.
 */
export function mergeConfig(user: ContainerConfig, image: ContainerConfig): ContainerConfig {
  const cleared = user.Entrypoint?.length === 1 && user.Entrypoint[0] === '';
  const hasEntrypoint = (user.Entrypoint?.length ?? 0) > 0;
  const Entrypoint = cleared ? null : hasEntrypoint ? (user.Entrypoint ?? null) : (image.Entrypoint ?? null);
  const Cmd = (user.Cmd?.length ?? 0) > 0 || hasEntrypoint ? (user.Cmd ?? null) : (image.Cmd ?? null);
  if ((Entrypoint?.length ?? 0) + (Cmd?.length ?? 0) === 0) throw invalidArgument('no command specified');
  return {
    ...user,
    Entrypoint,
    Cmd,
    Env: mergeEnv(image.Env ?? [], user.Env ?? []),
    User: user.User || image.User || '',
    WorkingDir: user.WorkingDir || image.WorkingDir || '',
    ExposedPorts: { ...image.ExposedPorts, ...user.ExposedPorts },
    Volumes: { ...image.Volumes, ...user.Volumes },
    Labels: { ...ownLabels(image.Labels ?? {}), ...user.Labels },
    OnBuild: image.OnBuild ?? null,
    ...keepOptional(user, image),
  };
}

// Namespaces that engines, runtimes and plugins read as orders; an image must not give any (CVE-2026-53488).
const reserved = /^(io\.gantry\.|org\.opencontainers\.runc\.|run\.oci\.|com\.docker\.plugin\.)/;

const ownLabels = (labels: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(labels).filter(([key]) => !reserved.test(key)));

function keepOptional(user: ContainerConfig, image: ContainerConfig): Partial<ContainerConfig> {
  const StopSignal = user.StopSignal || image.StopSignal;
  const Shell = user.Shell ?? image.Shell;
  const Healthcheck = mergeHealthcheck(user.Healthcheck, image.Healthcheck);
  return {
    ...(StopSignal ? { StopSignal } : {}),
    ...(Shell ? { Shell } : {}),
    ...(Healthcheck ? { Healthcheck } : {}),
  };
}

function mergeHealthcheck(user: ContainerConfig['Healthcheck'], image: ContainerConfig['Healthcheck']): ContainerConfig['Healthcheck'] {
  if (!user || !image) return user ?? image;
  const set = Object.entries(user).filter(([, value]) => (Array.isArray(value) ? value.length > 0 : value !== 0));
  return { ...image, ...Object.fromEntries(set) };
}

/** Later ones win by name and keep the earlier one's place. */
export function mergeEnv(base: readonly string[], over: readonly string[]): readonly string[] {
  const byName = new Map<string, string>();
  for (const variable of [...base, ...over]) byName.set(variable.split('=', 1)[0] ?? '', variable);
  return [...byName.values()];
}

/** An entry of linux.namespaces: without `path` the runtime makes a new one. */
export interface Namespace {
  readonly type: 'mount' | 'network' | 'uts' | 'ipc' | 'pid' | 'cgroup';
  readonly path?: string;
}

/** `new`, the host's, or the one at a path (another container's, or made by the engine). */
export type NamespaceChoice = 'new' | 'host' | { readonly path: string };

/** The mount namespace is always new. */
export function namespaces(choices: Readonly<Record<Exclude<Namespace['type'], 'mount'>, NamespaceChoice>>): readonly Namespace[] {
  const chosen = Object.entries(choices) as [Namespace['type'], NamespaceChoice][];
  return [
    { type: 'mount' },
    ...chosen
      .filter(([, choice]) => choice !== 'host')
      .map(([type, choice]): Namespace => (typeof choice === 'object' ? { type, path: choice.path } : { type })),
  ];
}

/** `container:/path` → both; a local path, which has a slash before its first colon or no colon, → no container. */
export function splitContainerPath(text: string): { readonly container?: string; readonly path: string } {
  const at = text.indexOf(':');
  if (at <= 0 || text.startsWith('.') || text.slice(0, at).includes('/')) return { path: text };
  return { container: text.slice(0, at), path: text.slice(at + 1) };
}

/** What an engine, a plugin or a registry sends is not trusted to leave a terminal, or the line it stands in, alone. */
export function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ');
}

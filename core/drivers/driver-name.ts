/** What a driver is known under: Docker's plugins have no ":latest" in the names of their drivers, with which people may write them everywhere. */
export function driverName(text: string): string {
  return text.endsWith(':latest') ? text.slice(0, -':latest'.length) : text;
}

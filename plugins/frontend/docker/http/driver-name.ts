/** As the engine knows it: managed plugins' drivers have no ":latest", with which people may write them. Empty is absent. */
export function driverName(text: string | undefined): string | undefined {
  return text?.replace(/:latest$/, '') || undefined;
}

export function code(path: string): string;
export function isFresh(path: string): boolean;

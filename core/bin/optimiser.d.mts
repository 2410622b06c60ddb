export function optimiseLater(): () => Promise<void>;
export function stopOptimising(): void;

export { Logs, type LogsOptions } from './logs.ts';
export type { ContainerLogs, LoggedContainer } from './types.ts';

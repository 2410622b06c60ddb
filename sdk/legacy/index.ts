export { dockerDrivers } from './drivers.ts';
export { linesLog } from './lines-log.ts';
export { type DockerServeOptions, serveDocker } from './serve.ts';
export { settingNames, type SettingTexts } from './settings.ts';

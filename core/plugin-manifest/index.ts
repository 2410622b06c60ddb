export { type DockerConfig, readDockerConfig } from './docker/config.ts';
export { fromDockerConfig } from './docker/manifest.ts';
export { appliedSettings, dockerSettings } from './docker/settings.ts';
export { comparePrivilegeChange, comparePrivileges, delta, privilegesOf } from './privileges.ts';

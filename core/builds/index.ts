export { BuildsRoom } from './builds.ts';

export { Mapper, type MappedPort } from './mapper.ts';

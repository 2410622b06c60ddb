export { isTarHead, TarError, type TarHeader, type TarTime } from './header.ts';
export { TarReader, type TarHandler } from './reader.ts';
export { endOfArchive, paddingBytes, tarHeader, type TarEntry } from './writer.ts';

export { type LogAddress, parseLogAddress, type LogAddressRules } from './address.ts';
export { LogConnection, type LogConnectionOptions } from './connection.ts';
export { type DatagramSink, UdpSink, UnixDatagramSink } from './datagrams.ts';
export { HttpSink, type HttpSinkOptions, type PostedBatch } from './post.ts';
export { retrying, type RetryOptions } from './retrying.ts';
export { readTlsFiles, type TlsFiles, type TlsFilesOptions } from './tls-files.ts';

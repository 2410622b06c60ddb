export { Content, type Blob, type Ingested, type IngestOptions } from './content.ts';
export { checkedDigest, digestOf, isDigest } from './digest.ts';

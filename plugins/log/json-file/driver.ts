import { type ContainerInfo, FileLogDriver, type LogFormat } from '@gantry/sdk/log';
import { Decoder } from './decode.ts';
import { Encoder } from './encode.ts';
import { lastLines } from './tail.ts';
import { join } from 'node:path';

const newline = 10;

/** One JSON object per line, which people and tools read directly. */
export const jsonFormat: LogFormat = {
  path: ({ dir, id }) => join(dir, `${id}-json.log`),
  encoder: (attributes) => new Encoder(attributes),
  decoder: () => new Decoder(),
  endOf: (chunk, start) => chunk.indexOf(newline, start) + 1 || -1,
  lastRecords: lastLines,
};

/** Docker's json-file: never rotated unless max-size is given. */
export class JsonFileDriver extends FileLogDriver {
  constructor() {
    super({ name: 'json-file', format: jsonFormat, defaults: { maxBytes: Number.POSITIVE_INFINITY, maxFiles: 1, compress: false } });
  }

  async path({ container }: { readonly container: ContainerInfo }): Promise<{ readonly path: string }> {
    return { path: jsonFormat.path(container) };
  }
}

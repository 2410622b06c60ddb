/**
 * A process that only pumps one container's output with the json-file driver, to be killed: `log-engine.ts ROOT ID [MAX-SIZE]`. Says `ready` when
 * it has begun. A line `end` on its input is the end of the container's run, answered by `ended`; a line `run` the beginning of the next.
 */
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Drivers } from '../../../core/drivers/index.ts';
import { Logs } from '../../../core/logs/index.ts';
import { Database } from '../../../core/metadata/index.ts';
import { JsonFileDriver } from '../../../plugins/log/json-file/driver.ts';
import { loggedInfo } from '../plugins/log-subject.ts';
import { quietLog } from '../machine/quiet-log.ts';

const [root = '', id = '', maxSize] = process.argv.slice(2);
const driver = new JsonFileDriver();
const drivers = { get: async () => driver } as unknown as Drivers;
const logs = new Logs({ database: new Database(join(root, 'metadata.db')), drivers, dataRoot: root, log: quietLog });
const options = maxSize === undefined ? {} : { 'max-size': maxSize, 'max-file': '1000' };
const start = (): void => logs.start({ info: loggedInfo(root, { id }), driver: 'json-file', options, tty: false });
start();
process.stdout.write('ready');
setInterval(() => {}, 1_000);
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'run') start();
  else {
    await logs.stop(id);
    process.stdout.write('ended');
  }
}

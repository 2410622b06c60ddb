/** An engine of its own process, to be killed by a failpoint: `lifecycle-child.ts ROOT OPERATION [CONTAINER]`. */
import { LifecycleUnderTest } from './lifecycle.ts';

const [root = '', operation = '', container = ''] = process.argv.slice(2);
const engine = await LifecycleUnderTest.open(root);
await engine.images.add('busybox');
await engine.recovered;
switch (operation) {
  case 'create':
    await engine.create('sleep 60', { name: 'victim', hostConfig: { NetworkMode: 'none', Binds: ['/anonymous', 'named:/named'] } });
    break;
  case 'start':
    await engine.containers.start(container);
    break;
  case 'stop':
    await engine.containers.stop(container, { timeoutSeconds: 0 });
    break;
  case 'kill':
    await engine.containers.kill(container);
    break;
  case 'remove':
    await engine.containers.remove(container, { force: true, volumes: true });
    break;
  default:
    throw new Error(`no operation ${operation}`);
}
await engine[Symbol.asyncDispose]();
process.exit(0);

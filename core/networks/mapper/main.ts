/** The thread that serves published ports: does what it is told, one port after the other. */
import { parentPort } from 'node:worker_threads';
import { Here, type Failure, type Order } from './places.ts';

const here = new Here((id, reason) => parentPort?.postMessage({ id, reason } satisfies Failure));

parentPort?.on('message', (order: Order) => {
  if (order.kind === 'open') here.open(order.id, order.listening);
  else here.close(order.id, order);
});

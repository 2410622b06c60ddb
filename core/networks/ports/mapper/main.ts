/** The thread that serves published ports: does what it is told, one port after the other. */
import { parentPort } from 'node:worker_threads';
import { Here, type Order, type Report } from './places.ts';

const tell = (report: Report): void => parentPort?.postMessage(report);
const here = new Here((id, reason) => tell({ id, reason }));

parentPort?.on('message', (order: Order) => {
  if (order.kind === 'open') here.open(order.id, order.listening);
  else void here.close(order.id, order).then(() => tell({ id: order.id }));
});

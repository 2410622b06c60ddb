import type { MessagePort } from 'node:worker_threads';
import { overFrames } from './frames.ts';
import type { Frame } from './generated-plugin.ts';
import type { Handler, Wire } from './wire.ts';

/** Calls in both directions over one message port. */
export function overPort(port: MessagePort, handler: Handler): Wire {
  return overFrames(
    {
      listen({ onFrame, onClose }) {
        port.on('message', (frame: Frame) => onFrame(frame));
        port.on('close', () => onClose());
      },
      post: (frame) => port.postMessage(frame),
      close: () => port.close(),
    },
    handler,
  );
}

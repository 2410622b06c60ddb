import type { Frame, PluginService } from './generated-plugin.ts';
import { type FrameChannel, overFrames } from './frames.ts';
import type { Handler, Wire } from './wire.ts';

type Ctx = Parameters<PluginService['session']>[1];

/** The engine's end of a plugin's session. A plugin without one ends it at once: its first call fails. `onClose` is told of every end. */
export function openSession(
  service: PluginService,
  { handler, ctx, onClose }: { readonly handler: Handler; readonly ctx: Ctx; readonly onClose: () => void },
): Wire {
  const stop = new AbortController();
  const outbox = new Outbox();
  const open = (): AsyncIterable<Frame> => service.session(outbox, { ...ctx, signal: AbortSignal.any([ctx.signal, stop.signal]) });
  return overFrames(
    channelOf(open, outbox, () => stop.abort(new DOMException('the session is closed', 'AbortError')), onClose),
    handler,
  );
}

/** The plugin's end: what comes in are frames, what goes out too. `onWire` is given the calls in the other direction. */
export function serveSession(requests: AsyncIterable<Frame>, handler: Handler, onWire: (wire: Wire) => void): AsyncIterable<Frame> {
  const outbox = new Outbox();
  onWire(
    overFrames(
      channelOf(
        () => requests,
        outbox,
        () => outbox.end(),
        () => {},
      ),
      handler,
    ),
  );
  return outbox;
}

function channelOf(open: () => AsyncIterable<Frame>, outbox: Outbox, close: () => void, onEnd: () => void): FrameChannel {
  return {
    listen({ onFrame, onClose }) {
      const read = async (): Promise<void> => {
        for await (const frame of open()) onFrame(frame);
      };
      const end = (why?: unknown): void => {
        outbox.end();
        onClose(why);
        onEnd();
      };
      void read().then(() => end(), end);
    },
    post: (frame) => outbox.push(frame),
    close() {
      outbox.end();
      close();
    },
  };
}

/** Frames on their way out; one reader. What is sent here is bounded by who sends: unary calls by the bulkhead, streams by their window. */
class Outbox implements AsyncIterable<Frame> {
  readonly #frames: Frame[] = [];
  #isEnded = false;
  #wake: (() => void) | undefined;

  push(frame: Frame): void {
    this.#frames.push(frame);
    this.#wake?.();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Frame> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined) yield frame;
      else if (this.#isEnded) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

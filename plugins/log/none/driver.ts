import { notImplemented } from '@gantry/sdk';
import { checkLogOptions, type LogDriver, type WriteRequest, type WriteResponse } from '@gantry/sdk/log';

/** Acknowledges everything and keeps nothing. It has `read` in order to say no: without one the engine would show its spool. */
export const noneDriver: LogDriver = {
  validate: async ({ options }) => checkLogOptions('none', options, {}),
  async *write(requests: AsyncIterable<WriteRequest>): AsyncIterable<WriteResponse> {
    for await (const request of requests) {
      if (request.kind === 'close') return;
      if (request.kind === 'batch') yield { ackedSeq: request.firstSeq + request.entries.length - 1 };
    }
  },
  read: () => refusal,
};

const refusal: AsyncIterable<never> = {
  [Symbol.asyncIterator]: () => ({
    next: async () => {
      throw notImplemented('configured logging driver does not support reading');
    },
  }),
};

import { existsSync } from 'node:fs';
import { unavailable } from '@gantry/sdk';
import { log } from '@gantry/sdk/author';
import { Journal, journalSocket } from './journal.ts';
import { Recorder } from './message.ts';

export default log({
  name: 'journald',
  check() {
    if (!existsSync(journalSocket)) {
      throw unavailable('journald is not enabled on this host', { hint: `${journalSocket} is not there`, reason: 'JOURNALD_ABSENT' });
    }
  },
  open: ({ container, tag, extra }) => ({ journal: new Journal(), recorder: new Recorder(container, tag, extra) }),
  async write({ entries }, { signal }, { journal, recorder }) {
    for (const entry of entries) await journal.write(recorder.record(entry), signal);
  },
  close: (_, { journal }) => journal[Symbol.dispose](),
});

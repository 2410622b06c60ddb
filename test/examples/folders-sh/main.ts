import { script, t } from '@gantry/sdk/author';

/** Volumes as folders, by the shell script next to this file. */
export default script({
  kind: 'volume',
  name: 'folders-sh',
  dir: import.meta.dirname,
  options: { mode: t.Optional(t.Enum(['755', '700'])) },
});

import { script, t } from '@gantry/sdk/author';

/** Volumes as folders, by the shell script next to this file. */
export default script({
  kind: 'volume',
  name: 'folders-sh',
  dir: import.meta.dirname,
  // Containers write as whom they like, and who removes a volume removes that too.
  privileges: { user: 'root', capabilities: ['CAP_DAC_OVERRIDE', 'CAP_FOWNER'] },
  options: { mode: t.Optional(t.Enum(['755', '700'])) },
});

import { folderNote, folderPrivileges } from './folder-volumes.ts';
import { moduleGuide, moduleScripts, modulesAndNoTests, moduleTest, ofModule } from './javascript.ts';
import type { Language } from './plan.ts';

const noOptions = { volume: { type: 'object', properties: {}, required: [], additionalProperties: false } };
const description = 'A volume driver as a shell script.';

/** A driver as a program: main.js says what it is, `driver` is asked once per call. */
export const shell: Language = {
  title: 'shell',
  kinds: ['volume'],
  manifest: () => ({ description, ...ofModule('main.js'), options: noOptions, privileges: folderPrivileges }),
  packageJson: { scripts: moduleScripts('main.test.js'), files: ['driver', ...modulesAndNoTests('js')] },
  note: () => folderNote,
  guide: () => [
    ['driver', 'the driver: change this. Started once per call, so any language serves'],
    ...moduleGuide('main.js', 'main.test.js').map(([file, what]) => [file, file === 'main.js' ? 'its name and options' : what] as const),
  ],
  files: (plan) => ({
    driver: { text: driver, mode: 0o755 },
    'main.js': {
      text: `import { script } from '@gantry/sdk/author';

// ./driver METHOD is run for each call, in whatever language it is written.
export default script({
  kind: 'volume',
  name: '${plan.name}',
  description: '${description}',
  // What users may give with -o: { size: t.String() } would be GANTRY_OPTION_SIZE. Anything else is refused by name.
  options: {},
  // Containers write as whom they like, and who removes a volume removes that too.
  privileges: { user: 'root', capabilities: ['CAP_DAC_OVERRIDE', 'CAP_FOWNER'] },
  dir: import.meta.dirname,
});
`,
    },
    'main.test.js': { text: moduleTest(plan, 'main.js') },
  }),
};

const driver = `#!/bin/sh
# ./driver METHOD: the request is JSON on stdin, and its texts are in the environment too; the answer is JSON on stdout.
# A failure: {"code":"unavailable","message":"…","reason":"…"} on stderr and exit code 1.
set -eu
case "$1" in
  create) mkdir -p "$GANTRY_DATA_DIR/$GANTRY_NAME" ;;
  remove) rm -rf "$GANTRY_DATA_DIR/\${GANTRY_NAME:?}" ;;
  attach) echo "{\\"mounts\\":[{\\"type\\":\\"bind\\",\\"source\\":{\\"data\\":\\"$GANTRY_NAME\\"},\\"readOnly\\":$GANTRY_READ_ONLY}]}" ;;
  *) echo '{"code":"not_implemented"}' >&2; exit 1 ;;
esac
`;

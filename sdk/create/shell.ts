import { test } from './javascript.ts';
import type { Language } from './plan.ts';

/** A driver as a program: main.js says what it is, `driver` is asked once per call. */
export const shell: Language = {
  entry: 'main.js',
  test: 'main.test.js',
  kinds: ['volume'],
  files: (plan) => ({
    'main.js': {
      text: `import { script } from '@gantry/sdk/author';

// ./driver METHOD is run for each call, in whatever language it is written.
export default script({ kind: 'volume', name: '${plan.name}', dir: import.meta.dirname });
`,
    },
    driver: { text: driver, mode: 0o755 },
    'main.test.js': { text: test(plan, 'main.js') },
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

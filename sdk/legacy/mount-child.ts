import { mount, type MountFlag } from '../linux/index.ts';

/** The program that makes one mount and ends: see `make-mounts.ts`. */
const { source, target, type, flags, data } = JSON.parse(process.argv[2] ?? '{}') as {
  readonly source: string;
  readonly target: string;
  readonly type: string;
  readonly flags: readonly MountFlag[];
  readonly data: string;
};
try {
  mount(source, target, { type, flags: new Set(flags), data });
} catch (error) {
  process.stderr.write(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

import { exec } from '@gantry/sdk/author';

/** Images with nothing but scripts in them, run by the host's interpreters in the container's sandbox. */
export default exec({
  name: 'interpreter',
  accepts: ({ spec }) => interpreterOf(spec.process.args) !== undefined,
  describe: ({ spec: { process }, rootfs }) => ({
    argv: [interpreterOf(process.args) ?? '', `${rootfs}${process.args[0]}`, ...process.args.slice(1)],
  }),
});

function interpreterOf([script = '']: readonly string[]): string | undefined {
  if (script.endsWith('.sh')) return '/bin/sh';
  return script.endsWith('.py') ? '/usr/bin/python3' : undefined;
}

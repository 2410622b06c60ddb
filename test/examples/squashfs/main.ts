import { hostPath, mount, t, volume } from '@gantry/sdk/author';

/** Volumes that show what is in a squashfs image on this machine. */
export default volume({
  name: 'squashfs',
  options: t.Object({ image: t.String({ format: 'absolute-path' }) }),
  privileges: { mountTypes: ['fuse'], hostPaths: ['/'] },
  attach: ({ options: { image } }) => [
    mount.fuse({
      argv: ['squashfuse', '-f', '{path:image}', '{fd}'],
      paths: { image: { path: hostPath(image), readOnly: true } },
      readOnly: true,
    }),
  ],
});

import { bind, mount, overlay, t, volume } from '@gantry/sdk/author';

/** A volume of the kind that its option wants; `bad` ones describe what is not there. */
export const volumes = volume({
  name: 'every',
  options: { kind: t.Enum(['folder', 'memory', 'layers', 'bad'], { default: 'folder' }) },
  settings: { size: t.String({ default: '2m' }) },
  create: ({ name }, { data }) => data.mkdirs(`${name}/lower`, `${name}/upper`, `${name}/work`),
  remove: ({ name }, { data }) => data.remove(name),
  status: ({ options }, { settings }) => ({ kind: options.kind, size: settings.size }),
  attach({ name, options }, { readOnly }, { settings }) {
    switch (options.kind) {
      case 'folder':
        return [bind(`${name}/lower`, readOnly ? 'ro' : 'rw')];
      case 'memory':
        return [mount.tmpfs({ size: settings.size })];
      case 'layers':
        return [overlay({ lower: [`${name}/lower`], upper: `${name}/upper`, work: `${name}/work` })];
      case 'bad':
        return [mount.ext4({ host: '/nowhere' })];
      default:
        return options.kind satisfies never;
    }
  },
});

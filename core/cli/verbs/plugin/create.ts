import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fromErrno, invalidArgument } from '@gantry/sdk/errors';
import { withBar } from '../../format/progress.ts';
import { verb } from '../../verb.ts';
import { folderTar } from './folder-tar.ts';
import { manifestName } from './manifest-file.ts';

export const createPlugin = verb({
  arguments: '<name> <folder>',
  notes: `The folder has either Docker's layout (config.json and rootfs/) or Gantry's (gantry-plugin.json and what it names). The plugin stays disabled.

  gantry plugin create reg.example/acme/nfs:1.4 ./nfs
  gantry plugin push reg.example/acme/nfs:1.4`,
  async action(context, [name = '', folder = '']) {
    checkFolder(folder);
    const { plugins } = await context.client();
    await plugins.create(name, withBar('sending', await folderTar(folder)));
    context.print(name);
  },
});

function checkFolder(folder: string): void {
  try {
    if (!statSync(folder).isDirectory()) throw invalidArgument(`${folder} is not a folder`);
  } catch (error) {
    throw fromErrno(error, 'cannot read the folder');
  }
  if ([manifestName, 'config.json', 'package.json'].some((name) => existsSync(join(folder, name)))) return;
  throw invalidArgument(`${folder} has neither ${manifestName} nor config.json`, { hint: 'name the folder that has one of them' });
}

import { after } from 'node:test';
import { testCreated } from '../support/plugins/created-suite.ts';
import { withExt4 } from '../support/disks/ext4.ts';
import { builtPlugins } from '../support/plugins/language-plugins.ts';
import { leakGuard } from '../support/machine/leak-guard.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

// Before the namespaces, which have no network: modules are fetched the first time.
const plugins = builtPlugins('python');

inNamespaces(import.meta.url);
const disk = withExt4({ sizeMiB: 2048 });
after(() => disk[Symbol.asyncDispose]());
leakGuard();

testCreated('python', plugins, disk.path);

import { after } from 'node:test';
import { testCreated } from '../support/created-suite.ts';
import { withExt4 } from '../support/ext4.ts';
import { builtPlugins } from '../support/language-plugins.ts';
import { leakGuard } from '../support/leak-guard.ts';
import { inNamespaces } from '../support/namespaces.ts';

// Before the namespaces, which have no network: modules are fetched the first time.
const plugins = builtPlugins('go');

inNamespaces(import.meta.url);
const disk = withExt4({ sizeMiB: 2048 });
after(() => disk[Symbol.asyncDispose]());
leakGuard();

testCreated('go', plugins, disk.path);

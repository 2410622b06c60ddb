import { testCreated } from '../support/created-suite.ts';
import { builtPlugins } from '../support/language-plugins.ts';
import { leakGuard } from '../support/leak-guard.ts';
import { inNamespaces } from '../support/namespaces.ts';

// Before the namespaces, which have no network: modules are fetched the first time.
const plugins = builtPlugins('python');

inNamespaces(import.meta.url);
leakGuard();

testCreated('python', plugins);

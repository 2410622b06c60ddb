import { testOci } from '../support/plugins/exec-oci.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });
testOci('OCI exec with crun', { defaultRuntime: 'crun' });

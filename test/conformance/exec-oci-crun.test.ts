import { testOci } from '../support/exec-oci.ts';
import { inNamespaces } from '../support/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });
testOci('OCI exec with crun', { defaultRuntime: 'crun' });

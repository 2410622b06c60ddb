import { testOci } from '../support/plugins/exec-oci.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v2' });
testOci('OCI exec with crun on cgroup v2', { defaultRuntime: 'crun' });

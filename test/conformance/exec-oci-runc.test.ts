import { testOci } from '../support/plugins/exec-oci.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'host' });
testOci('OCI exec with runc', { defaultRuntime: 'runc' });

import { testOci } from '../support/exec-oci.ts';
import { inNamespaces } from '../support/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'host' });
testOci('OCI exec with runc', { defaultRuntime: 'runc' });

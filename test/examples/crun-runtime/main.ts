import { ociRuntime } from '@gantry/sdk/author';

/** Any program with the command line of OCI runtimes: `docker run --runtime crun-runtime …`. */
export default ociRuntime({ name: 'crun-runtime', binary: 'crun', flags: ['--cgroup-manager=cgroupfs'] });

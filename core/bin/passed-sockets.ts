const firstPassedFd = 3;

/**
 * "fd://" as the sockets that systemd passed, sd_listen_fds(3): "fd://3", "fd://4". The variables are taken out of the environment, for they are
 * meant for this process alone.
 */
export function passedSockets(hosts: readonly string[], environment: NodeJS.ProcessEnv): readonly string[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count = '0' } = environment;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete environment[name];
  const passed = pid === undefined || Number(pid) === process.pid ? Number(count) : 0;
  const all = Array.from({ length: passed }, (_, index) => `fd://${firstPassedFd + index}`);
  return hosts.flatMap((host) => (host === 'fd://' && all.length > 0 ? all : [host]));
}

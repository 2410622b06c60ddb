import type { HijackCall } from '../../streams/hijack.ts';

/** Attaches before the head is sent, so that an unknown container is still an ordinary 404. */
export async function attach({ engine, id, query, signal, accept }: HijackCall): Promise<void> {
  const stdin = query.flag('stdin');
  const detachKeys = query.word('detachKeys');
  const attached = await engine.containers.attach(id, {
    stdin,
    stdout: query.flag('stdout'),
    stderr: query.flag('stderr'),
    logs: query.flag('logs'),
    stream: query.flag('stream'),
    ...(detachKeys === undefined ? {} : { detachKeys }),
    signal,
  });
  await accept({ tty: attached.tty }).join(attached, { stdin });
}

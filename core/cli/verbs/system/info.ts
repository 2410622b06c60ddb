import type { InfoAnswer } from '@gantry/sdk/client';
import { binarySize } from '../../format/human.ts';
import { type Format, formatOption } from '../../format/format-option.ts';
import { verb } from '../../verb.ts';

export const info = verb<{ readonly format?: Format }>({
  arguments: '',
  options: [formatOption],
  async action(context, _given, { format }) {
    const { system } = await context.client();
    const answer = await system.info();
    if (format === 'json') return context.print(JSON.stringify(answer));
    for (const line of lines(answer)) context.print(line);
    for (const warning of answer.Warnings ?? []) context.note(warning);
  },
});

function lines(answer: InfoAnswer): readonly string[] {
  const { Plugins = {}, Labels } = answer;
  const facts: readonly (readonly [string, string | number | undefined])[] = [
    ['Containers', answer.Containers],
    [' Running', answer.ContainersRunning],
    [' Paused', answer.ContainersPaused],
    [' Stopped', answer.ContainersStopped],
    ['Images', answer.Images],
    ['Server Version', answer.ServerVersion],
    ['Storage Driver', answer.Driver],
    ...(answer.DriverStatus ?? []).map(([name, status]) => [` ${name}`, status] as const),
    ['Logging Driver', answer.LoggingDriver],
    ['Cgroup Driver', answer.CgroupDriver],
    ['Cgroup Version', answer.CgroupVersion],
    ...Object.entries(Plugins).map(([kind, names]) => [`${kind} drivers`, (names ?? []).join(' ')] as const),
    ['Runtimes', Object.keys(answer.Runtimes ?? {}).join(' ')],
    ['Default Runtime', answer.DefaultRuntime],
    ['Security Options', (answer.SecurityOptions ?? []).join(', ')],
    ['Kernel Version', answer.KernelVersion],
    ['Operating System', answer.OperatingSystem],
    ['Architecture', answer.Architecture],
    ['CPUs', answer.NCPU],
    ['Total Memory', answer.MemTotal === undefined ? undefined : binarySize(answer.MemTotal)],
    ['Name', answer.Name],
    ['ID', answer.ID],
    ['Root Dir', answer.DockerRootDir],
    ['Labels', Labels === null || Labels === undefined || Labels.length === 0 ? undefined : Labels.join(', ')],
    ['Live Restore Enabled', answer.LiveRestoreEnabled === undefined ? undefined : String(answer.LiveRestoreEnabled)],
  ];
  return facts.filter(([, fact]) => fact !== undefined && fact !== '').map(([name, fact]) => `${name}: ${fact}`);
}

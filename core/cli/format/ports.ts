import type { PortAnswer } from '@gantry/sdk/client';

/** "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 443/tcp", runs of ports joined. */
export function showPorts(ports: readonly PortAnswer[]): string {
  const sorted = ports.toSorted((a, b) => a.PrivatePort - b.PrivatePort || compare(a.Type, b.Type) || compare(a.IP ?? '', b.IP ?? ''));
  const runs: Run[] = [];
  for (const port of sorted) {
    const run = runs.find((candidate) => continues(candidate, port));
    if (run !== undefined) run.length += 1;
    else runs.push({ first: port, length: 1 });
  }
  return runs.map(showRun).join(', ');
}

interface Run {
  readonly first: PortAnswer;
  length: number;
}

function continues({ first, length }: Run, port: PortAnswer): boolean {
  const isSame = (first.IP ?? '') === (port.IP ?? '') && first.Type === port.Type && port.PrivatePort === first.PrivatePort + length;
  return isSame && (port.PublicPort ?? 0) === (first.PublicPort === undefined ? 0 : first.PublicPort + length);
}

function showRun({ first, length }: Run): string {
  const inside = `${range(first.PrivatePort, length)}/${first.Type}`;
  if (first.PublicPort === undefined || first.PublicPort === 0) return inside;
  const ip = first.IP?.includes(':') ? `[${first.IP}]` : (first.IP ?? '');
  return `${ip}:${range(first.PublicPort, length)}->${inside}`;
}

function range(first: number, length: number): string {
  return length === 1 ? String(first) : `${first}-${first + length - 1}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

import type { BoundPort, ContainerObservation, ContainerState } from '../port.ts';

/** The part of `GET /containers/<id>/json` that is read. */
interface InspectAnswer {
  readonly Id: string;
  readonly Name: string;
  readonly Created: string;
  readonly Image: string;
  readonly Config: { readonly Image: string; readonly Labels?: Record<string, string> | null; readonly Tty?: boolean };
  readonly State: {
    readonly Status: string;
    readonly Running?: boolean;
    readonly ExitCode: number;
    readonly OOMKilled: boolean;
    readonly Error?: string;
    readonly StartedAt: string;
    readonly FinishedAt: string;
    readonly Pid: number;
  };
  readonly NetworkSettings?: {
    readonly Ports?: Record<string, readonly { HostIp: string; HostPort: string }[] | null> | null;
    readonly Networks?: Record<string, { IPAddress?: string; GlobalIPv6Address?: string } | null> | null;
  };
}

const states: readonly string[] = ['created', 'running', 'exited', 'dead', 'paused', 'restarting', 'removing'];
/** The engine's way to say "never". */
const zeroTime = '0001-01-01T00:00:00Z';

export function parseInspect(answer: unknown): ContainerObservation {
  const given = answer as InspectAnswer;
  // A start that failed leaves it `created`, with the error: it had its chance and ended.
  const hasFailed = given.State.Status === 'created' && Boolean(given.State.Error);
  const state = hasFailed ? 'exited' : parseState(given.State.Status);
  const startedAt = given.State.StartedAt;
  const finishedAt = given.State.FinishedAt;
  const hasEnded = state === 'exited' || state === 'dead';
  return {
    id: given.Id,
    name: given.Name.replace(/^\//, ''),
    labels: given.Config.Labels ?? {},
    image: given.Config.Image,
    imageId: given.Image,
    state,
    wasOomKilled: given.State.OOMKilled,
    createdAt: given.Created,
    addresses: Object.values(given.NetworkSettings?.Networks ?? {}).flatMap((network) =>
      [network?.IPAddress, network?.GlobalIPv6Address].filter((address) => address !== undefined && address !== ''),
    ) as string[],
    hostPorts: parsePorts(given.NetworkSettings?.Ports ?? {}),
    ...(hasEnded ? { exitCode: given.State.ExitCode } : {}),
    ...(given.State.Error ? { error: given.State.Error } : {}),
    ...(startedAt && startedAt !== zeroTime ? { startedAt } : {}),
    ...(hasEnded && finishedAt && finishedAt !== zeroTime ? { finishedAt } : {}),
    ...(given.State.Pid > 0 ? { pid: given.State.Pid } : {}),
  };
}

/** With a terminal there is one raw stream instead of two multiplexed ones. */
export function hasTerminal(answer: unknown): boolean {
  return (answer as InspectAnswer).Config.Tty === true;
}

/** Podman also knows `initialized`, `stopping` and `stopped`. */
function parseState(status: string): ContainerState {
  if (status === 'initialized' || status === 'configured') return 'created';
  if (status === 'stopping') return 'running';
  if (status === 'stopped') return 'exited';
  return states.includes(status) ? (status as ContainerState) : 'dead';
}

/** The engine lists a port twice when it listens on IPv4 and IPv6; one entry a port is what anybody wants to see. */
function parsePorts(ports: NonNullable<NonNullable<InspectAnswer['NetworkSettings']>['Ports']>): BoundPort[] {
  const bound = new Map<string, BoundPort>();
  for (const [key, bindings] of Object.entries(ports)) {
    const [port, protocol] = key.split('/');
    if (protocol !== 'tcp' && protocol !== 'udp') continue;
    for (const { HostIp, HostPort } of bindings ?? []) {
      const known = `${key} ${HostPort}`;
      if (bound.has(known)) continue;
      const isAny = HostIp === '' || HostIp === '0.0.0.0' || HostIp === '::';
      bound.set(known, {
        containerPort: Number(port),
        hostPort: Number(HostPort),
        protocol: protocol === 'tcp' ? 'TCP' : 'UDP',
        ...(isAny ? {} : { hostIP: HostIp }),
      });
    }
  }
  return [...bound.values()].sort((a, b) => a.containerPort - b.containerPort || a.hostPort - b.hostPort);
}

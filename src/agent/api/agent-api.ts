import type { PodDialer } from '../../adapters/dialer/port.ts';
import type { ContainerObservation, ContainerRuntime } from '../../adapters/runtime/port.ts';
import type { Clock } from '../../lib/clock.ts';
import { FlotillaError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { podContainer, podContainers } from '../../resources/pod-containers.ts';
import type { AgentApi, ContainerRef, LogsOptions } from '../../tunnel/agent-api.ts';
import { probeAddresses } from '../network/reach.ts';
import { hasEnded, isAlive, isRestarted, newestFirst } from '../pod/container-facts.ts';
import { pauseName } from '../pod/pause.ts';
import { podProgress } from '../pod/pod-progress.ts';
import type { PodRecord } from '../pod/pod-record.ts';
import type { Pods } from '../pod/pods.ts';
import { limitBytes } from './limit-bytes.ts';

export interface AgentApiOptions {
  readonly pods: Pick<Pods, 'find'>;
  readonly runtime: ContainerRuntime;
  readonly dialer: PodDialer;
  readonly renderMetrics: AgentApi['metrics'];
  readonly network: AgentApi['network'];
  readonly ingress: AgentApi['ingress'];
  readonly accessLog: AgentApi['accessLog'];
  readonly clock: Clock;
  readonly log: Logger;
}

const lifetimePollMs = 500;

/** What servers ask this node for through the tunnel. */
export function createPodApi(options: AgentApiOptions): AgentApi {
  const { runtime, dialer, clock, log } = options;

  const recordOf = (ref: ContainerRef): PodRecord => {
    const record = options.pods.find(ref.namespace, ref.pod);
    if (!record) throw new FlotillaError('NotFound', `pod ${ref.namespace}/${ref.pod} is not on this node`);
    const all = record.pod ? podContainers(record.pod) : [];
    if (!all.some(({ container }) => container.name === ref.container)) {
      const names = all.map(({ container }) => `"${container.name}"`).join(', ');
      throw new FlotillaError('Invalid', `container "${ref.container}" is not one of pod ${ref.pod}: it has ${names}`);
    }
    return record;
  };

  return {
    async logs(ref, logsOptions, signal) {
      const container = logContainer(recordOf(ref), ref, logsOptions);
      log.info('logs', { ...fieldsOf(ref), follow: logsOptions.follow });
      const since = sinceOf(logsOptions, clock.wallMs());
      const stream = await runtime.logs(
        container.id,
        {
          follow: logsOptions.follow,
          timestamps: logsOptions.timestamps,
          ...(logsOptions.tailLines === undefined ? {} : { tailLines: logsOptions.tailLines }),
          ...(since === undefined ? {} : { since }),
        },
        signal,
      );
      return limitBytes(stream.lines, logsOptions.limitBytes);
    },
    async exec(ref, execOptions, signal) {
      const container = running(recordOf(ref), ref);
      log.info('exec', { ...fieldsOf(ref), tty: execOptions.tty });
      if (execOptions.command.length === 0) throw new FlotillaError('Invalid', 'exec without a command');
      return runtime.exec(
        container.id,
        {
          command: execOptions.command,
          tty: execOptions.tty,
          stdin: execOptions.stdin,
          ...(execOptions.tty ? { environment: ['TERM=xterm'] } : {}),
        },
        signal,
      );
    },
    async attach(ref, { stdin, tty }, signal) {
      const record = recordOf(ref);
      const container = running(record, ref);
      log.info('attach', { ...fieldsOf(ref), stdin, tty });
      // Whoever comes first to a container that waits for its input wants all that it has said.
      const { stdin: isOpen = false, stdinOnce: withLog = false } =
        (record.pod && podContainer(record.pod, ref.container)?.container) ?? {};
      return runtime.attach(container.id, { stdin: stdin && isOpen, withLog }, signal);
    },
    async forward(ref, port, signal) {
      const record = recordOf(ref);
      const { id: containerId, pid } = networkOf(record, ref);
      log.info('forward', { ...fieldsOf(ref), port });
      const [address] = record.wired?.addresses ?? [];
      return await dialer.dial(
        { containerId, port, ...(pid === undefined ? {} : { pid }), ...(address === undefined ? {} : { address }) },
        signal,
      );
    },
    async lifetime(ref, signal) {
      const record = recordOf(ref);
      networkOf(record, ref);
      return { ended: untilOver(options, ref, record.uid, signal) };
    },
    metrics: options.renderMetrics,
    network: options.network,
    ingress: options.ingress,
    accessLog: options.accessLog,
    probe: probeAddresses,
  };
}

function fieldsOf({ pod, namespace, requestId }: ContainerRef) {
  return { pod, namespace, requestId };
}

function running(record: PodRecord, ref: ContainerRef): ContainerObservation {
  const newest = record.newest(ref.container);
  if (newest && isAlive(newest)) return newest;
  throw new FlotillaError('Conflict', `container "${ref.container}" of pod ${ref.pod} is not running`, {
    hint: 'Look at its state with `flotilla ps` and at its log',
  });
}

/** The container that leads into the pod's network: not the one that is named, which may just be down while others serve. */
function networkOf(record: PodRecord, ref: ContainerRef): ContainerObservation {
  const pause = record.newest(pauseName);
  return pause && isAlive(pause) ? pause : running(record, ref);
}

/** A restarted container is still the same pod. */
async function untilOver(
  { pods, clock }: AgentApiOptions,
  ref: ContainerRef,
  uid: string,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const record = pods.find(ref.namespace, ref.pod);
    if (!record?.pod || record.uid !== uid) return;
    const { pod } = record;
    const containers = [...record.containers.values()];
    if (podProgress(pod, containers, (name) => record.member(name).lastAttempt).isOver) return;
    await clock.sleep(lifetimePollMs, signal).catch(() => {});
  }
}

/** The newest attempt that started; `previous`: the newest that ended and was followed by another, or will be. */
function logContainer(record: PodRecord, ref: ContainerRef, options: LogsOptions): ContainerObservation {
  const containers = newestFirst(record.containers.values(), ref.container);
  if (options.previous) {
    const ended = containers.find(hasEnded);
    const isFollowed =
      ended && record.pod && (ended.id !== containers[0]?.id || isRestarted(record.pod, ref.container, ended));
    if (isFollowed) return ended;
    throw new FlotillaError(
      'Invalid',
      `previous terminated container "${ref.container}" in pod "${ref.pod}" not found`,
    );
  }
  const started = containers.find((one) => one.startedAt !== undefined || one.error !== undefined);
  if (started) return started;
  const reason = record.member(ref.container).problem?.reason ?? defaultReason(record);
  throw new FlotillaError('Invalid', `container "${ref.container}" in pod "${ref.pod}" is waiting to start: ${reason}`);
}

function defaultReason({ pod }: PodRecord): string {
  return pod?.spec.initContainers?.length ? 'PodInitializing' : 'ContainerCreating';
}

function sinceOf(options: LogsOptions, wallMs: number): string | undefined {
  if (options.sinceTime !== undefined) return options.sinceTime;
  return options.sinceSeconds === undefined ? undefined : String(Math.floor(wallMs / 1000) - options.sinceSeconds);
}

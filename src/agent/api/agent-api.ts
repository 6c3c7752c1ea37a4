import type { PodDialer } from '../../adapters/dialer/port.ts';
import type { ContainerObservation, ContainerRuntime } from '../../adapters/runtime/port.ts';
import type { Clock } from '../../lib/clock.ts';
import { FlotillaError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { AgentApi, ContainerRef, LogsOptions } from '../../tunnel/agent-api.ts';
import { probeAddresses } from '../network/reach.ts';
import { attemptOf, hasEnded, isAlive, isRestarted } from '../pod/plan.ts';
import type { PodRecord } from '../pod/pod-record.ts';
import type { Pods } from '../pod/pods.ts';
import { limitBytes } from './limit-bytes.ts';

export interface AgentApiOptions {
  readonly pods: Pick<Pods, 'find'>;
  readonly runtime: ContainerRuntime;
  readonly dialer: PodDialer;
  readonly renderMetrics: () => string;
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
    const name = record.pod?.spec.containers[0]?.name;
    if (ref.container !== name) {
      throw new FlotillaError('Invalid', `container "${ref.container}" is not one of pod ${ref.pod}: it has "${name}"`);
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
      const { stdin: isOpen = false, stdinOnce: withLog = false } = record.pod?.spec.containers[0] ?? {};
      return runtime.attach(container.id, { stdin: stdin && isOpen, withLog }, signal);
    },
    async forward(ref, port, signal) {
      const { id: containerId, pid, addresses } = running(recordOf(ref), ref);
      log.info('forward', { ...fieldsOf(ref), port });
      const [address] = addresses;
      return await dialer.dial(
        { containerId, port, ...(pid === undefined ? {} : { pid }), ...(address === undefined ? {} : { address }) },
        signal,
      );
    },
    async lifetime(ref, signal) {
      const record = recordOf(ref);
      running(record, ref);
      return { ended: untilOver(options, ref, record.uid, signal) };
    },
    metrics: options.renderMetrics,
    probe: probeAddresses,
  };
}

function fieldsOf({ pod, namespace, requestId }: ContainerRef) {
  return { pod, namespace, requestId };
}

function running({ newest }: PodRecord, ref: ContainerRef): ContainerObservation {
  if (newest && isAlive(newest)) return newest;
  throw new FlotillaError('Conflict', `container "${ref.container}" of pod ${ref.pod} is not running`, {
    hint: 'Look at its state with `flotilla ps` and at its log',
  });
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
    const { newest } = record;
    if (newest && hasEnded(newest) && !isRestarted(record.pod, newest)) return;
    await clock.sleep(lifetimePollMs, signal).catch(() => {});
  }
}

/** The newest attempt that started; `previous`: the newest that ended and was followed by another, or will be. */
function logContainer(record: PodRecord, ref: ContainerRef, options: LogsOptions): ContainerObservation {
  const containers = [...record.containers.values()].sort((a, b) => attemptOf(b) - attemptOf(a));
  if (options.previous) {
    const ended = containers.find(hasEnded);
    const isFollowed = ended && record.pod && (ended.id !== containers[0]?.id || isRestarted(record.pod, ended));
    if (isFollowed) return ended;
    throw new FlotillaError(
      'Invalid',
      `previous terminated container "${ref.container}" in pod "${ref.pod}" not found`,
    );
  }
  const started = containers.find((one) => one.startedAt !== undefined || one.error !== undefined);
  if (started) return started;
  const reason = record.problem?.reason ?? 'ContainerCreating';
  throw new FlotillaError('Invalid', `container "${ref.container}" in pod "${ref.pod}" is waiting to start: ${reason}`);
}

function sinceOf(options: LogsOptions, wallMs: number): string | undefined {
  if (options.sinceTime !== undefined) return options.sinceTime;
  return options.sinceSeconds === undefined ? undefined : String(Math.floor(wallMs / 1000) - options.sinceSeconds);
}

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
  readonly renderMetrics: () => string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What servers ask this node for through the tunnel. */
export function createPodApi(options: AgentApiOptions): AgentApi {
  const { runtime, clock, log } = options;

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
      const fields = { pod: ref.pod, namespace: ref.namespace, requestId: ref.requestId };
      log.info('logs', { ...fields, follow: logsOptions.follow });
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
      const record = recordOf(ref);
      const container = record.newest;
      log.info('exec', { pod: ref.pod, namespace: ref.namespace, requestId: ref.requestId, tty: execOptions.tty });
      if (!container || !isAlive(container)) {
        throw new FlotillaError('Conflict', `container "${ref.container}" of pod ${ref.pod} is not running`, {
          hint: 'Look at its state with `flotilla ps` and at its log',
        });
      }
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
    metrics: options.renderMetrics,
    probe: probeAddresses,
  };
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

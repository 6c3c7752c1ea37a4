import type { ContainerRuntime } from '../adapters/runtime/port.ts';
import { backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { PodNetwork } from './network/pod-network.ts';
import type { NodeReporter } from './node/node-reporter.ts';
import type { Pods } from './pod/pods.ts';

export interface EngineWatchOptions {
  readonly runtime: ContainerRuntime;
  readonly pods: Pick<Pods, 'resync' | 'look'>;
  readonly network: Pick<PodNetwork, 'check'>;
  readonly reporter: Pick<NodeReporter, 'update'>;
  readonly log: Logger;
  readonly clock: Clock;
}

/** Besides events, everything is looked at again so often. */
const resyncMs = 60_000;
const retry = { initialMs: 200, maxMs: 5_000 };

/** Follows the engine; after each (re)connect lists everything, since events of the time between are lost. */
export function watchEngine(options: EngineWatchOptions): { stop(): void } {
  const { runtime, pods, network, reporter, log, clock } = options;
  const abort = new AbortController();
  let isRunning = false;
  let isWanted = false;
  let wasAway = false;
  let cancelTimer = () => {};

  const resync = async (): Promise<void> => {
    isWanted = true;
    if (isRunning) return;
    isRunning = true;
    for (let failures = 0; isWanted && !abort.signal.aborted; ) {
      isWanted = false;
      try {
        const askedAtMs = clock.monotonicMs();
        const [info, containers] = await Promise.all([runtime.info(), runtime.list()]);
        reporter.update({ engine: info, engineProblem: undefined });
        if (wasAway) network.check(); // it may have been restarted, with its bridge and rules made anew
        wasAway = false;
        pods.resync(containers, askedAtMs);
        failures = 0;
      } catch (error) {
        failures++;
        wasAway = true;
        reporter.update({ engineProblem: messageOf(error) });
        if (failures === 1) log.warn('engine not usable', { error });
        isWanted = true;
        await clock.sleep(backoffMs(failures, retry), abort.signal).catch(() => {});
      }
    }
    isRunning = false;
    cancelTimer();
    cancelTimer = clock.after(resyncMs, () => void resync());
  };

  runtime.watch(
    {
      onResync: () => void resync(),
      onContainer: (containerId) => pods.look(containerId),
      onDisconnect: (error) => {
        wasAway = true;
        reporter.update({ engineProblem: messageOf(error) });
      },
    },
    abort.signal,
  );
  return {
    stop() {
      abort.abort(new Error('the agent stops'));
      cancelTimer();
    },
  };
}

import { backoffMs } from '../../../lib/backoff.ts';
import { systemClock } from '../../../lib/clock.ts';
import { FlotillaError } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/log.ts';
import { hostLabels } from '../../../resources/names.ts';
import type { RuntimeHandlers } from '../port.ts';
import type { DockerEngine } from './docker-engine.ts';
import { jsonLines } from './json-lines.ts';

/** `create` too: a call that was given up may still make its container, much later. */
const watched = ['create', 'start', 'die', 'oom', 'destroy', 'rename', 'pause', 'unpause'] as const;
/** The event stream is silent by nature: only a ping shows that the engine behind it hangs. */
const pingIntervalMs = 10_000;
const pingTimeoutMs = 5_000;
const reconnect = { initialMs: 100, maxMs: 2_000 };

interface EventLine {
  readonly Type?: string;
  readonly Action?: string;
  readonly Actor?: { readonly ID?: string };
}

/** Follows the engine's events until `signal`; tells of every connection, since events of the time between are lost. */
export async function watchEvents(
  engine: DockerEngine,
  handlers: RuntimeHandlers,
  signal: AbortSignal,
  log: Logger,
): Promise<void> {
  for (let failures = 0; !signal.aborted; ) {
    const connection = new AbortController();
    const either = AbortSignal.any([signal, connection.signal]);
    const stopPings = pingUntilSilent(engine, connection);
    try {
      const response = await engine.stream(
        {
          method: 'GET',
          path: '/events',
          query: {
            filters: JSON.stringify({ type: ['container'], label: [hostLabels.managed], event: [...watched] }),
          },
          purpose: "follow the engine's events",
        },
        either,
      );
      failures = 0;
      handlers.onResync();
      for await (const line of jsonLines(response)) {
        const { Action, Actor } = line as EventLine;
        const event = watched.find((one) => one === Action);
        if (event && Actor?.ID) handlers.onContainer(Actor.ID, event);
      }
      throw new FlotillaError('EngineFailed', 'the engine closed its event stream', { retryable: true });
    } catch (error) {
      if (signal.aborted) return;
      engine.forgetVersion();
      failures++;
      if (failures === 1) log.warn('engine is away', { error });
      handlers.onDisconnect(error instanceof Error ? error : new Error(String(error)));
    } finally {
      stopPings();
      connection.abort();
    }
    await systemClock.sleep(backoffMs(failures, reconnect), signal).catch(() => {});
  }
}

function pingUntilSilent(engine: DockerEngine, connection: AbortController): () => void {
  const timer = setInterval(() => {
    engine
      .call({ method: 'GET', path: '/_ping', purpose: 'ping the engine', timeoutMs: pingTimeoutMs })
      .catch(() => connection.abort());
  }, pingIntervalMs);
  timer.unref();
  return () => clearInterval(timer);
}

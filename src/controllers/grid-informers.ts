import type { Client } from '../client/client.ts';
import { startInformer } from '../client/informer.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { Kind } from '../resources/kind.ts';
import type { ApiObject } from '../resources/object.ts';
import { SharedInformer } from './shared-informer.ts';

/** One informer a kind for all controllers of a grid: they share memory and watches. */
export interface GridInformers {
  /** Ask for what is needed while starting; the same kind gives the same informer. */
  of<T extends ApiObject>(kind: Kind<T>): SharedInformer<T>;
  /** Resolves when every informer asked for so far has its first list. */
  synced(): Promise<void>;
  stop(): Promise<void>;
}

export interface GridInformersOptions {
  readonly client: Client;
  readonly log: Logger;
  readonly clock: Clock;
}

const sweepMs = 10_000;

export function createGridInformers(options: GridInformersOptions): GridInformers {
  const { client, log, clock } = options;
  const running = new Map<Kind, { shared: SharedInformer<never>; synced: Promise<void>; stop(): unknown }>();
  let cancelSweep = clock.after(sweepMs, sweep);

  function sweep(): void {
    for (const one of running.values()) one.shared.sweep();
    cancelSweep = clock.after(sweepMs, sweep);
  }

  function start<T extends ApiObject>(kind: Kind<T>): SharedInformer<T> {
    let shared: SharedInformer<T> | undefined;
    const informer = startInformer<T>({
      client,
      kind,
      log,
      clock,
      onChange: (key, object, old) => shared?.changed(key, object, old),
    });
    shared = new SharedInformer<T>(kind, informer);
    // The map forgets the type argument; `of` gives it back by the kind, which is the key.
    running.set(kind, {
      shared: shared as unknown as SharedInformer<never>,
      synced: informer.synced,
      stop: () => informer.stop(),
    });
    return shared;
  }

  return {
    of: <T extends ApiObject>(kind: Kind<T>) => {
      const known = running.get(kind);
      return known ? (known.shared as unknown as SharedInformer<T>) : start(kind);
    },
    synced: async () => {
      await Promise.all([...running.values()].map((one) => one.synced));
    },
    stop: async () => {
      cancelSweep();
      await Promise.all([...running.values()].map((one) => one.stop()));
    },
  };
}

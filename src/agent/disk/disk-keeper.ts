import { type Clock, systemClock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { coalesce } from './coalesced-writer.ts';

export interface DiskKeeperOptions {
  /** In the log: `assignments`. */
  readonly name: string;
  /** Writes all of it as it is now. */
  readonly write: () => Promise<void>;
  readonly log: Logger;
  readonly clock?: Clock;
}

/** Keeps a copy on disk of what the agent knows, a moment behind: many changes, one write. */
export interface DiskKeeper {
  changed(): void;
  stop(): Promise<void>;
}

const delayMs = 500;

export function startDiskKeeper({ name, write, log, clock = systemClock }: DiskKeeperOptions): DiskKeeper {
  let cancel: (() => void) | undefined;
  let isStopped = false;
  const save = coalesce(write);
  const saveLoudly = () => save().catch((error) => log.error('not written to disk', { what: name, error }));
  return {
    changed() {
      if (cancel || isStopped) return;
      cancel = clock.after(delayMs, () => {
        cancel = undefined;
        void saveLoudly();
      });
    },
    async stop() {
      isStopped = true;
      if (!cancel) return;
      cancel();
      await saveLoudly();
    },
  };
}

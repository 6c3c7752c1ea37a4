import { type Clock, systemClock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import { type Assignments, writeAssignments } from './disk/assignments.ts';
import { coalesce } from './disk/coalesced-writer.ts';

export interface AssignmentKeeperOptions {
  readonly dataDirectory: string;
  readonly nodeKeyPem: string;
  /** All of it as it is now. */
  readonly collect: () => Assignments;
  readonly log: Logger;
  readonly clock?: Clock;
}

/** Keeps the copy on disk of what this node is to run, a moment behind: many changes, one write. */
export interface AssignmentKeeper {
  changed(): void;
  stop(): Promise<void>;
}

const delayMs = 500;

export function startAssignmentKeeper(options: AssignmentKeeperOptions): AssignmentKeeper {
  const { clock = systemClock } = options;
  let cancel: (() => void) | undefined;
  let isStopped = false;
  const save = coalesce(() => writeAssignments(options.dataDirectory, options.collect(), options.nodeKeyPem));
  const saveLoudly = () => save().catch((error) => options.log.error('assignments not written to disk', { error }));
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

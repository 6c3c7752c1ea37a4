import type { PodCondition, PodStatus } from 'kubernetes-types/core/v1.js';
import { ApiError } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { backoffMs } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { type Pod, pods } from '../../resources/kinds.ts';
import { holdsStatus } from './holds-status.ts';

/** Tells the API what the agent sees: one write in flight a pod, what changes meanwhile goes with the next one. */
export interface StatusWriter {
  /** The status of this pod may have changed. */
  update(uid: string): void;
  /** The API tells of the pod. What differs from what was written for a while is written again: an older write came late. */
  told(uid: string, pod: Pod): void;
  forget(uid: string): void;
  stop(): Promise<void>;
}

export interface PodReport {
  readonly pod: Pod;
  readonly status: PodStatus;
  /** Annotations that the agent owns. */
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface StatusWriterOptions {
  readonly client: Client;
  /** The status as it is now, based on the one written last; undefined: nothing to say. */
  readonly render: (uid: string, written: PodStatus | undefined) => PodReport | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Writing {
  written: PodStatus | undefined;
  writtenText: string;
  running: Promise<void> | undefined;
  isDirty: boolean;
  failures: number;
  /** The status that the API told last. */
  told: PodStatus | undefined;
  /** Written again because it differed, in a row. */
  repairs: number;
  cancelRepair: (() => void) | undefined;
}

const timeoutMs = 10_000;
/** The echo of the last write may be on its way still. */
const repair = { initialMs: 1_000, maxMs: 60_000 };
const retry = { initialMs: 100, maxMs: 5_000 };

export function createStatusWriter(options: StatusWriterOptions): StatusWriter {
  const { client, clock, log } = options;
  const abort = new AbortController();
  const states = new Map<string, Writing>();

  const write = async (uid: string, state: Writing): Promise<void> => {
    while (state.isDirty && !abort.signal.aborted && states.get(uid) === state) {
      state.isDirty = false;
      const report = options.render(uid, state.written);
      if (!report) return;
      const { metadata } = report.pod;
      const body = {
        metadata: { uid, ...(report.annotations ? { annotations: report.annotations } : {}) },
        status: { ...report.status, conditions: report.status.conditions?.map(withoutLeftovers) },
      };
      const text = JSON.stringify(body);
      if (text === state.writtenText) continue;
      try {
        const ref = { namespace: metadata.namespace, name: metadata.name };
        const signal = AbortSignal.any([abort.signal, AbortSignal.timeout(timeoutMs)]);
        // Merged by the server: conditions and fields of other writers stay, no revision can be stale.
        await client.patch(pods, ref, { type: 'strategic', subresource: 'status', body }, { signal });
        state.written = report.status;
        state.writtenText = text;
        state.failures = 0;
      } catch (error) {
        if (abort.signal.aborted) return;
        if (error instanceof ApiError && [403, 404, 409, 422].includes(error.status.code)) {
          // Gone, another pod by now, or moved away. A wrong body is a bug: said once, not for ever.
          if (error.status.code !== 404) log.warn('pod status refused', { pod: metadata.name, error });
          return;
        }
        state.failures++;
        if (state.failures === 1) log.warn('pod status not written, trying again', { pod: metadata.name, error });
        state.isDirty = true;
        await clock.sleep(backoffMs(state.failures, retry), abort.signal).catch(() => {});
      }
    }
  };

  const start = (uid: string, state: Writing): void => {
    state.running ??= write(uid, state).finally(() => {
      state.running = undefined;
      // Changed while the last write was refused, or after its last look and before this.
      if (state.isDirty && !abort.signal.aborted && states.get(uid) === state) start(uid, state);
    });
  };

  const repairOf = (uid: string, state: Writing): void => {
    state.cancelRepair = undefined;
    if (states.get(uid) !== state || state.running || !isOverwritten(state)) return;
    log.warn('pod status is not what was written last: an older write came late; writing it again', { uid });
    state.repairs++;
    state.writtenText = '';
    state.isDirty = true;
    start(uid, state);
  };

  return {
    update(uid) {
      let state = states.get(uid);
      if (!state) {
        state = newState();
        states.set(uid, state);
      }
      state.isDirty = true;
      start(uid, state);
    },
    told(uid, pod) {
      const state = states.get(uid);
      if (!state) return;
      state.told = pod.status;
      if (!isOverwritten(state)) {
        state.repairs = 0;
        state.cancelRepair?.();
        state.cancelRepair = undefined;
      } else state.cancelRepair ??= clock.after(backoffMs(state.repairs + 1, repair), () => repairOf(uid, state));
    },
    forget(uid) {
      states.get(uid)?.cancelRepair?.();
      states.delete(uid);
    },
    async stop() {
      abort.abort(new Error('the agent stops'));
      for (const { cancelRepair } of states.values()) cancelRepair?.();
      await Promise.all([...states.values()].map(({ running }) => running));
    },
  };
}

function newState(): Writing {
  return {
    ...{ written: undefined, writtenText: '', running: undefined, isDirty: false, failures: 0 },
    ...{ told: undefined, repairs: 0, cancelRepair: undefined },
  };
}

function isOverwritten({ told, written }: Writing): boolean {
  return told !== undefined && written !== undefined && !holdsStatus(told, written);
}

/** Merging keeps what is not said: a reason of yesterday's False would stand beside today's True. */
function withoutLeftovers(condition: PodCondition): object {
  return { reason: null, message: null, ...condition };
}

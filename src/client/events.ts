import { randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '../lib/clock.ts';
import { withDeadline } from '../lib/deadline.ts';
import { type Logger, silentLogger } from '../lib/log.ts';
import { type Event, events } from '../resources/kinds.ts';
import type { ApiObject } from '../resources/object.ts';
import { isApiError } from './api-error.ts';
import type { Client } from './client.ts';

export interface EventRecorderOptions {
  readonly client: Client;
  /** Who says so: `scheduler`, `agent`, `deployment-controller`. */
  readonly component: string;
  /** The node it runs on, for agents. */
  readonly host?: string;
  /** Events of different objects that are written at once. Default 1. */
  readonly writersAtOnce?: number;
  /** Events that may wait; more are dropped. Default 256. */
  readonly maxPending?: number;
  readonly log?: Logger;
  readonly clock?: Clock;
}

/**
 * Tells people what happened, as Kubernetes Event objects. Never throws, never waits: what cannot be written in time is
 * dropped. The same sentence about the same object raises a count instead of making another Event.
 */
export interface EventRecorder {
  /** `reason` is one CamelCase word (`FailedScheduling`); `message` a sentence that never repeats a secret's value. */
  record(object: ApiObject, type: 'Normal' | 'Warning', reason: string, message: string): void;
  /** Resolves when what was recorded so far is written or given up. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

interface Known {
  name: string;
  namespace: string;
  count: number;
}

interface Pending {
  readonly key: string;
  readonly objectKey: string;
  readonly event: Omit<Event, 'metadata'>;
  readonly objectName: string;
  readonly namespace: string;
  times: number;
  lastMs: number;
}

const maxKnown = 2_048;
const maxMessageLength = 1_024;
/** A single object may say so much at once, then one thing every `refillMs`: a crash loop must not fill the store. */
const burstPerObject = 25;
const refillMs = 10_000;
const writeTimeoutMs = 5_000;

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const clock = options.clock ?? systemClock;
  const log = options.log ?? silentLogger;
  const { writersAtOnce = 1, maxPending = 256 } = options;
  const pending = new Map<string, Pending>();
  const known = new Map<string, Known>();
  const budgets = new Map<string, { left: number; atMs: number }>();
  /** Objects about which something is being written: what comes next about them waits, and stands behind it. */
  const busy = new Set<string>();
  let idle: (() => void)[] = [];
  let isStopped = false;

  /** One more may be said about this object now. */
  function hasBudget(objectKey: string): boolean {
    const nowMs = clock.monotonicMs();
    const budget = budgets.get(objectKey) ?? { left: burstPerObject, atMs: nowMs };
    const refill = Math.floor((nowMs - budget.atMs) / refillMs);
    const left = Math.min(burstPerObject, budget.left + refill);
    remember(budgets, objectKey, { left: Math.max(0, left - 1), atMs: budget.atMs + refill * refillMs });
    return left > 0;
  }

  async function write(one: Pending, signal: AbortSignal): Promise<void> {
    const { client } = options;
    const before = known.get(one.key);
    const lastTimestamp = timestamp(one.lastMs);
    if (before) {
      const count = before.count + one.times;
      try {
        await client.patch(events, before, { type: 'merge', body: { count, lastTimestamp } }, { signal });
        remember(known, one.key, { ...before, count });
        return;
      } catch (error) {
        if (!isApiError(error, 'NotFound')) throw error;
        known.delete(one.key); // it expired: begin a new one
      }
    }
    const name = `${one.objectName}.${randomBytes(8).toString('hex')}`;
    const metadata = { name, namespace: one.namespace };
    await client.create(events, { ...one.event, metadata, count: one.times, lastTimestamp } as Event, { signal });
    remember(known, one.key, { name, namespace: one.namespace, count: one.times });
  }

  function takeNext(): Pending | undefined {
    for (const one of pending.values()) {
      if (busy.has(one.objectKey)) continue;
      pending.delete(one.key);
      return one;
    }
    return undefined;
  }

  async function run(one: Pending): Promise<void> {
    busy.add(one.objectKey);
    try {
      await withDeadline(writeTimeoutMs, undefined, (signal) => write(one, signal));
    } catch (error) {
      log.debug('event not written', { reason: one.event.reason, error });
    }
    busy.delete(one.objectKey);
    start();
    if (busy.size > 0) return;
    for (const resolve of idle) resolve();
    idle = [];
  }

  function start(): void {
    while (busy.size < writersAtOnce) {
      const next = takeNext();
      if (!next) return;
      void run(next);
    }
  }

  async function flush(): Promise<void> {
    if (busy.size > 0) await new Promise<void>((resolve) => idle.push(resolve));
  }

  return {
    record(object, type, reason, message) {
      if (isStopped) return;
      const { kind, apiVersion, metadata } = object;
      const objectKey = `${kind}/${metadata.namespace ?? ''}/${metadata.name}/${metadata.uid ?? ''}`;
      const key = [objectKey, type, reason, message].join('\0');
      const waiting = pending.get(key);
      if (waiting) {
        waiting.times += 1;
        waiting.lastMs = clock.wallMs();
        return;
      }
      if (!hasBudget(objectKey) || pending.size >= maxPending) return;
      const nowMs = clock.wallMs();
      pending.set(key, {
        key,
        objectKey,
        objectName: metadata.name.slice(0, 200),
        namespace: metadata.namespace ?? 'default',
        times: 1,
        lastMs: nowMs,
        event: {
          apiVersion: 'v1',
          kind: 'Event',
          involvedObject: {
            apiVersion,
            kind,
            name: metadata.name,
            ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
            ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
            ...(metadata.resourceVersion === undefined ? {} : { resourceVersion: metadata.resourceVersion }),
          },
          type,
          reason,
          message: message.slice(0, maxMessageLength),
          source: { component: options.component, ...(options.host === undefined ? {} : { host: options.host }) },
          reportingComponent: options.component,
          reportingInstance: options.host ?? '',
          firstTimestamp: timestamp(nowMs),
        },
      });
      start();
    },
    flush,
    stop: async () => {
      isStopped = true;
      await flush();
    },
  };
}

/** A map bounded by forgetting what was used longest ago. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  const oldest = map.keys().next();
  if (map.size > maxKnown && !oldest.done) map.delete(oldest.value);
}

/** RFC 3339 with seconds, as Kubernetes' Time. */
function timestamp(wallMs: number): string {
  return new Date(wallMs).toISOString().replace(/\.\d+Z$/, 'Z');
}

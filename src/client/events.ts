import { randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '../lib/clock.ts';
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
  readonly event: Omit<Event, 'metadata'>;
  readonly objectName: string;
  readonly namespace: string;
  times: number;
  lastMs: number;
}

const maxPending = 256;
const maxKnown = 2_048;
const maxMessageLength = 1_024;
/** A single object may say so much at once, then one thing every `refillMs`: a crash loop must not fill the store. */
const burstPerObject = 25;
const refillMs = 10_000;
const writeTimeoutMs = 5_000;

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const clock = options.clock ?? systemClock;
  const log = options.log ?? silentLogger;
  const pending = new Map<string, Pending>();
  const known = new Map<string, Known>();
  const budgets = new Map<string, { left: number; atMs: number }>();
  let running: Promise<void> | undefined;
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

  async function write(one: Pending): Promise<void> {
    const { client } = options;
    const before = known.get(one.key);
    const lastTimestamp = timestamp(one.lastMs);
    const signal = AbortSignal.timeout(writeTimeoutMs);
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

  async function drain(): Promise<void> {
    for (;;) {
      const next = pending.values().next();
      if (next.done) return;
      pending.delete(next.value.key);
      try {
        await write(next.value);
      } catch (error) {
        log.debug('event not written', { reason: next.value.event.reason, error });
      }
    }
  }

  function start(): void {
    running ??= drain().finally(() => {
      running = undefined;
      if (pending.size > 0) start();
    });
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
    async flush() {
      while (running) await running;
    },
    async stop() {
      isStopped = true;
      while (running) await running;
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

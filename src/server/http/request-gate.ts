import type { Clock } from '../../lib/clock.ts';
import type { Metrics } from '../../lib/metrics.ts';
import { ApiError } from '../../resources/api-error.ts';
import { nodesGroup } from '../../resources/names.ts';
import type { RequestContext } from '../request.ts';
import { FairQueue, type FairQueueLimits, type Ticket } from './fair-queue.ts';

export interface RequestGateOptions {
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Default 10 s. */
  readonly waitMs?: number;
  readonly limits?: Partial<Record<keyof typeof defaultLimits, FairQueueLimits>>;
}

/** What sort of request: `long` ones end when the client wants. */
export type RequestSort = 'read' | 'change' | 'long';

/** Lets requests in, so many at a time, by turns of their users; agents have seats of their own. */
export interface RequestGate {
  /** Resolves, when its turn has come, with what to call at its end. Throws ApiError 429. */
  enter(context: RequestContext, sort: RequestSort): Promise<() => void>;
}

const short = { running: 200, runningPerFlow: 100, waiting: 4_096, waitingPerFlow: 512 };
/** A watch costs a few KiB: there is nothing to wait for. */
const long = { running: 50_000, runningPerFlow: 20_000, waiting: 0, waitingPerFlow: 0 };

/** Nodes work for everybody: what users do must not keep them from telling what runs. */
const defaultLimits = {
  nodeReads: short,
  nodeChanges: short,
  userReads: short,
  userChanges: short,
  long,
};

const defaultWaitMs = 10_000;

export function createRequestGate(options: RequestGateOptions): RequestGate {
  const { clock, metrics, waitMs = defaultWaitMs } = options;
  const all = { ...defaultLimits, ...options.limits };
  const queues = {
    nodeReads: new FairQueue(all.nodeReads),
    nodeChanges: new FairQueue(all.nodeChanges),
    userReads: new FairQueue(all.userReads),
    userChanges: new FairQueue(all.userChanges),
    long: new FairQueue(all.long),
  };
  const shortOnes = [queues.nodeReads, queues.nodeChanges, queues.userReads, queues.userChanges];
  const sum = (of: (queue: FairQueue) => number) => shortOnes.reduce((total, queue) => total + of(queue), 0);
  metrics.gauge('flotilla_requests_in_flight', 'Requests being answered, watches not counted.', () =>
    sum((queue) => queue.running),
  );
  metrics.gauge('flotilla_requests_waiting', 'Requests that wait for their turn.', () => sum((queue) => queue.waiting));
  metrics.gauge('flotilla_watches_in_flight', 'Watches and followed logs.', () => queues.long.running);

  const queueOf = (context: RequestContext, sort: RequestSort): FairQueue => {
    if (sort === 'long') return queues.long;
    const isNode = context.user.groups.includes(nodesGroup);
    if (sort === 'read') return isNode ? queues.nodeReads : queues.userReads;
    return isNode ? queues.nodeChanges : queues.userChanges;
  };

  return {
    enter: (context, sort) => {
      const queue = queueOf(context, sort);
      const flow = `${context.user.grid ?? ''}/${context.user.name}`;
      const leave = () => queue.leave(flow);
      const { promise, resolve, reject } = Promise.withResolvers<() => void>();
      let hasStarted = false;
      const ticket: Ticket = {
        flow,
        start: () => {
          hasStarted = true;
          resolve(leave);
        },
      };
      if (!queue.enter(ticket)) throw tooMany(`too many requests of user "${context.user.name}" wait already`);
      if (hasStarted) return promise;
      const { signal } = context;
      const giveUp = (why: string) => {
        if (queue.cancel(ticket)) reject(tooMany(why));
      };
      const onAbort = () => giveUp('the client went away');
      const cancelTimer = clock.after(waitMs, () => giveUp(`no turn within ${waitMs / 1000} s`));
      signal.addEventListener('abort', onAbort);
      return promise.finally(() => {
        cancelTimer();
        signal.removeEventListener('abort', onAbort);
      });
    },
  };
}

function tooMany(why: string): ApiError {
  const message = `the server has received too many requests and has asked us to try again later: ${why}`;
  return new ApiError({ code: 429, reason: 'TooManyRequests', message, details: { retryAfterSeconds: 1 } });
}

import type { Client } from '../client/client.ts';
import type { Clock } from '../lib/clock.ts';
import { type Lease, leases } from '../resources/kinds.ts';
import { leaderLeaseName, leaderNamespace } from './leader.ts';

export interface LeaseWatchOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** As it is now; undefined: somebody deleted it. */
  readonly onLease: (lease: Lease | undefined) => void;
}

const againMs = 500;

/** Tells of each change of the leader's lease at once. What it misses, the election's own looks find. */
export async function watchLease({ client, clock, signal, onLease }: LeaseWatchOptions): Promise<void> {
  const where = { namespace: leaderNamespace, fieldSelector: `metadata.name=${leaderLeaseName}`, signal };
  while (!signal.aborted) {
    try {
      for await (const event of client.watch(leases, { ...where, resourceVersion: '0' })) {
        if (event.type !== 'BOOKMARK') onLease(event.type === 'DELETED' ? undefined : event.object);
      }
    } catch {
      // The history was too short, or the store is away: begin again.
    }
    await clock.sleep(againMs, signal).catch(() => {});
  }
}

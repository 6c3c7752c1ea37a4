import { createHash, type KeyObject } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Store } from '../../store/port.ts';

/**
 * Which key is which node: `/meta/node-keys/<grid>/<node>` in the store, written at join, before there is a Node object.
 * Where a name has a record, a certificate counts only with a key that stands in it, so whoever takes a name over locks the
 * former out. Without one its signature is enough: the record of a join may not have come to this server yet.
 */
export interface NodeKeys {
  /** The key may speak for the node: it is recorded, or nothing is recorded for that name. */
  isKeyOf(grid: string, nodeName: string, fingerprint: string): boolean;
  /** Records a key at join. False: the name belongs to another key. */
  claim(grid: string, nodeName: string, fingerprint: string): Promise<boolean>;
  /** At renewal with a new key; the former one stays good until the next renewal, should the answer get lost. */
  replace(grid: string, nodeName: string, fingerprint: string): Promise<void>;
  /**
   * The Node object made at that time (wall clock) is gone: no key may speak for the name until one joins anew. False: one
   * has joined since, or there was none.
   */
  revoke(grid: string, nodeName: string, createdAtMs: number): Promise<boolean>;
  stop(): void;
}

export interface NodeKeysOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** There is a Node object of that name: the name is taken. */
  readonly hasNode: (grid: string, nodeName: string) => Promise<boolean>;
}

/** Newest first, at most two; none: the node was removed. */
interface KeyRecord {
  readonly fingerprints: readonly string[];
  readonly claimedAtMs: number;
}

const prefix = '/meta/node-keys/';
/** So long a name is kept for an agent that has joined and not yet made its Node object. */
const claimGraceMs = 60_000;
const retryMs = 500;
/** Times of objects have whole seconds, and servers' clocks differ a little. */
const clockSlackMs = 2_000;

/** SHA-256 of a public key (SPKI, DER), hex. */
export function keyFingerprint(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

/** Resolves when the recorded keys have been read. */
export async function startNodeKeys(options: NodeKeysOptions): Promise<NodeKeys> {
  const { store, clock, log } = options;
  const abort = new AbortController();
  const records = new Map<string, KeyRecord>();

  const follow = async () => {
    const listing = await store.list(prefix);
    records.clear();
    for (const entry of listing.entries) records.set(entry.key, parseRecord(entry.value));
    store.watch(prefix, {
      afterRevision: listing.revision,
      signal: abort.signal,
      onChanges: (changes) => {
        for (const change of changes) {
          if (change.type === 'put') records.set(change.entry.key, parseRecord(change.entry.value));
          else records.delete(change.key);
        }
      },
      onEnd: (reason) => {
        if (!abort.signal.aborted) again(reason);
      },
    });
  };
  const again = (reason: unknown) => {
    log.warn('lost sight of the node keys, reading them again', { error: messageOf(reason) });
    clock.after(retryMs, () => {
      if (!abort.signal.aborted) follow().catch(again);
    });
  };
  await follow();

  const write = async (key: string, record: KeyRecord, modRevision: number): Promise<boolean> => {
    const value = Buffer.from(JSON.stringify({ v: 1, ...record }));
    const result = await store.commit([{ key, modRevision }], [{ type: 'put', key, value }]);
    if (result.committed) records.set(key, record);
    return result.committed;
  };

  return {
    isKeyOf: (grid, nodeName, fingerprint) =>
      records.get(keyOf(grid, nodeName))?.fingerprints.includes(fingerprint) ?? true,
    claim: async (grid, nodeName, fingerprint) => {
      const key = keyOf(grid, nodeName);
      const entry = await store.get(key);
      const record = entry && parseRecord(entry.value);
      if (record?.fingerprints.includes(fingerprint)) return true;
      const isPending = record !== undefined && clock.wallMs() - record.claimedAtMs < claimGraceMs;
      if (isPending || (await options.hasNode(grid, nodeName))) return false;
      return await write(key, { fingerprints: [fingerprint], claimedAtMs: clock.wallMs() }, entry?.modRevision ?? 0);
    },
    replace: async (grid, nodeName, fingerprint) => {
      const key = keyOf(grid, nodeName);
      for (let attempt = 0; attempt < 5; attempt++) {
        const entry = await store.get(key);
        const record = entry && parseRecord(entry.value);
        const former = record?.fingerprints ?? [];
        if (former[0] === fingerprint) return;
        const fingerprints = [fingerprint, ...former.slice(0, 1)];
        const claimedAtMs = record?.claimedAtMs ?? clock.wallMs();
        if (await write(key, { fingerprints, claimedAtMs }, entry?.modRevision ?? 0)) return;
      }
      throw new Error(`cannot record the new key of node ${nodeName}: others keep changing it`);
    },
    revoke: async (grid, nodeName, createdAtMs) => {
      const key = keyOf(grid, nodeName);
      for (let attempt = 0; attempt < 5; attempt++) {
        const entry = await store.get(key);
        const record = entry && parseRecord(entry.value);
        if (!record || record.claimedAtMs > createdAtMs + clockSlackMs) return false;
        if (record.fingerprints.length === 0) return true; // another server was faster
        if (await write(key, { fingerprints: [], claimedAtMs: 0 }, entry.modRevision)) return true;
      }
      throw new Error(`cannot revoke the key of node ${nodeName}: others keep changing it`);
    },
    stop: () => abort.abort(new Error('the server stops')),
  };
}

function keyOf(grid: string, nodeName: string): string {
  return `${prefix}${grid}/${nodeName}`;
}

function parseRecord(value: Uint8Array): KeyRecord {
  const { fingerprints, claimedAtMs } = JSON.parse(Buffer.from(value).toString('utf8')) as KeyRecord;
  return { fingerprints, claimedAtMs };
}

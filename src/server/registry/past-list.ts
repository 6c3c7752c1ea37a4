import { FlotillaError } from '../../lib/errors.ts';
import type { Kind } from '../../resources/kind.ts';
import { type Entry, type Listing, StoreCompacted } from '../../store/port.ts';
import { CachedObject } from '../cache/cached-object.ts';
import { matches, type Selection } from '../cache/kind-cache.ts';
import type { Call, RegistryContext } from './call.ts';
import { kindPrefix } from './object-key.ts';

export interface PastListOptions {
  readonly revision: number;
  /** Key of the last object of the page before. */
  readonly after?: string | undefined;
  /** 0: everything. */
  readonly limit: number;
}

export interface PastPage {
  readonly items: readonly CachedObject[];
  /** More follow the last one. */
  readonly more: boolean;
}

/** Entries asked of the store at a time. */
const entriesAtOnce = 500;

/**
 * A list as it was, from the store's own history: for who pages so slowly that the cache has forgotten. Only the page is
 * held in memory. Undefined when the store has forgotten, too.
 */
export async function listPast(
  context: RegistryContext,
  call: Call,
  kind: Kind,
  selection: Selection,
  { revision, after, limit }: PastListOptions,
): Promise<PastPage | undefined> {
  // From before this epoch: another store held it.
  if (revision <= 0) return undefined;
  const whole = kindPrefix(call.grid, kind);
  const prefix = kind.namespaced && selection.namespace ? `${whole}${selection.namespace}/` : whole;
  const items: CachedObject[] = [];
  let startAfter = after;
  try {
    for (;;) {
      const listing: Listing = await context.store.list(prefix, {
        atRevision: revision,
        limit: entriesAtOnce,
        ...(startAfter === undefined ? {} : { startAfter }),
      });
      for (const entry of listing.entries) {
        const item = read(context, kind, entry);
        if (!item || !matches(selection, item)) continue;
        if (limit > 0 && items.length === limit) return { items, more: true };
        items.push(item);
      }
      if (!listing.more) return { items, more: false };
      startAfter = listing.entries.at(-1)?.key;
    }
  } catch (error) {
    if (error instanceof StoreCompacted) return undefined;
    throw error;
  }
}

/** What cannot be read is not there, as in the cache, which says so in the log. */
function read({ codec }: RegistryContext, kind: Kind, entry: Entry): CachedObject | undefined {
  try {
    const object = codec.decode(kind, entry.key, entry.value, entry.modRevision);
    return new CachedObject(entry.key, object, entry.modRevision);
  } catch (error) {
    if (error instanceof FlotillaError) return undefined;
    throw error;
  }
}

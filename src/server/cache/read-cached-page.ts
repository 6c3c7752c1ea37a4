import type { Kind } from '../../resources/kind.ts';
import type { CachedObject } from './cached-object.ts';
import type { CachedPage, PageOptions, Selection } from './kind-cache.ts';
import type { WatchCache } from './watch-cache.ts';

/** What others wait for while a selector is asked, at most. */
const sliceMs = 8;
/** So many are asked between two looks at the clock. */
const askedAtOnce = 64;

/**
 * A page of the cache, of which selectors are asked in slices: fifty thousand answers in one piece would hold everybody up.
 * The state is that of `revision` all the same: objects are never changed, and all are taken first.
 */
export async function readCachedPage(
  cache: WatchCache,
  grid: string,
  kind: Kind,
  selection: Selection,
  { revision, after, limit = 0 }: PageOptions & { readonly revision: number },
): Promise<CachedPage | undefined> {
  const { matches, ...where } = selection;
  if (!matches) return cache.page(grid, kind, selection, revision, { after, limit });
  const all = cache.page(grid, kind, where, revision, { after });
  if (!all) return undefined;
  const items: CachedObject[] = [];
  let sliceEndMs = performance.now() + sliceMs;
  for (const [index, item] of all.items.entries()) {
    if (index % askedAtOnce === 0 && performance.now() > sliceEndMs) {
      await new Promise((resolve) => setImmediate(resolve));
      sliceEndMs = performance.now() + sliceMs;
    }
    if (!matches(item)) continue;
    if (limit > 0 && items.length === limit) return { items, hasMore: true, keysLeft: all.items.length - index };
    items.push(item);
  }
  return { items, hasMore: false, keysLeft: 0 };
}

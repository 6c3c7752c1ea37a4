import type { Kind } from '../../../resources/kind.ts';
import type { WatchCache } from '../../cache/watch-cache.ts';
import type { Watcher } from '../../cache/watcher.ts';
import { indexedKinds, RoleIndex } from './role-index.ts';

/** The roles of each grid, never older than the watch cache. */
export interface RoleSource {
  of(grid: string): RoleIndex;
  stop(): void;
}

interface Followed {
  readonly index: RoleIndex;
  readonly watchers: readonly { readonly kind: Kind; readonly watcher: Watcher }[];
}

/** Asks the cache's own history what is new each time it is asked itself: nothing runs in the background. */
export function createRoleSource(cache: Pick<WatchCache, 'watch'>): RoleSource {
  const grids = new Map<string, Followed>();
  const forget = (grid: string) => {
    for (const { watcher } of grids.get(grid)?.watchers ?? []) watcher.close();
    grids.delete(grid);
  };
  const follow = (grid: string): Followed => {
    const watchers = indexedKinds.map((kind) => ({ kind, watcher: cache.watch(grid, kind, {}) }));
    const followed = { index: new RoleIndex(), watchers };
    grids.set(grid, followed);
    return followed;
  };
  return {
    of: (grid) => {
      const followed = grids.get(grid) ?? follow(grid);
      try {
        catchUp(followed);
        return followed.index;
      } catch {
        // So much has happened since the last question that the history does not reach back: from the beginning.
        forget(grid);
        const anew = follow(grid);
        catchUp(anew);
        return anew.index;
      }
    },
    stop: () => {
      for (const grid of [...grids.keys()]) forget(grid);
    },
  };
}

function catchUp({ index, watchers }: Followed): void {
  for (const { kind, watcher } of watchers) {
    while (!watcher.isDrained) {
      for (const { type, item } of watcher.take()) {
        if (type === 'DELETED') index.remove(kind, item.object);
        else index.set(kind, item.object);
      }
    }
  }
}

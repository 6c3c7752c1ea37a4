// The leader's term, so that at no moment two servers decide. A lease alone cannot promise that: a server that stood still
// (SIGSTOP, a paused machine) goes on in the middle of a write, however late. So whoever takes the lease writes, in the same
// commit, a key that begins its term; and every commit of a controller or the scheduler is made on the condition that this
// key is as it was then. The next leader's first commit is the last moment of the one before (ADR 0013).
import { FlotillaError } from '../lib/errors.ts';
import type { Store } from '../store/port.ts';

/** Who leads: `{"v":1,"holder":"…"}`, put once at the beginning of each term; its revision is the term's number. */
export const termKey = '/meta/leader';

/** A store in which every commit also begins a term of `holder`: what the lease is taken through. */
export function storeThatTakes(store: Store, holder: string): Store {
  const value = Buffer.from(JSON.stringify({ v: 1, holder }));
  return {
    ...portOf(store),
    commit: (conditions, operations) => store.commit(conditions, [...operations, { type: 'put', key: termKey, value }]),
  };
}

/** A store that takes commits only as long as `term` lasts. `onOver` is called when one is refused because it is over. */
export function storeOfTerm(store: Store, term: number, onOver: () => void): Store {
  const lasts = { key: termKey, modRevision: term };
  return {
    ...portOf(store),
    commit: async (conditions, operations) => {
      const result = await store.commit([lasts, ...conditions], operations);
      if (result.committed || (await store.get(termKey))?.modRevision === term) return result;
      onOver();
      throw new FlotillaError(
        'Canceled',
        `the change of ${operations[0]?.key ?? '?'} was not made: another server leads`,
      );
    },
  };
}

function portOf(store: Store): Store {
  return {
    get: (key) => store.get(key),
    list: (prefix, options) => store.list(prefix, options),
    commit: (conditions, operations) => store.commit(conditions, operations),
    watch: (prefix, options) => store.watch(prefix, options),
    head: () => store.head(),
    compact: (revision) => store.compact(revision),
    close: () => store.close(),
  };
}

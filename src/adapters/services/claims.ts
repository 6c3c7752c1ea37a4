import type { Front } from './fronts.ts';

/**
 * Who has an address, port or node port that several services ask for: the first by name, on every host alike, whatever came
 * first. One that gives it up hands it on.
 */
export interface Claims {
  owner(front: Front): string | undefined;
  /** Both give the names of all who ask for one of these fronts, whose rules may change by it. */
  add(name: string, fronts: readonly Front[]): Iterable<string>;
  remove(name: string, fronts: readonly Front[]): Iterable<string>;
}

export function createClaims(): Claims {
  const names = new Map<string, Set<string>>();
  return {
    owner: (front) => {
      let first: string | undefined;
      for (const name of names.get(front.id) ?? []) if (first === undefined || name < first) first = name;
      return first;
    },
    add: (name, fronts) =>
      fronts.flatMap((front) => {
        const claimants = names.get(front.id) ?? new Set();
        names.set(front.id, claimants.add(name));
        return [...claimants];
      }),
    remove: (name, fronts) =>
      fronts.flatMap((front) => {
        const claimants = names.get(front.id) ?? new Set();
        claimants.delete(name);
        if (claimants.size === 0) names.delete(front.id);
        return [...claimants];
      }),
  };
}

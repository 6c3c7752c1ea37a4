/** One place (a path of a host, a TCP port) that Ingress objects want. */
interface Claimant {
  readonly key: string;
  readonly createdAt: string;
}

/** Who has what: of several Ingress objects that want one place the oldest has it, the same on all hosts. */
export class Claims {
  readonly #claimants = new Map<string, readonly Claimant[]>();
  readonly #places = new Map<string, readonly string[]>();

  /** `key` wants exactly these places from now on. Gives the other Ingress objects for which that may change something. */
  set(key: string, createdAt: string, places: readonly string[]): ReadonlySet<string> {
    const touched = new Set<string>();
    for (const place of this.#places.get(key) ?? []) {
      const others = (this.#claimants.get(place) ?? []).filter((one) => one.key !== key);
      for (const one of others) touched.add(one.key);
      if (others.length > 0) this.#claimants.set(place, others);
      else this.#claimants.delete(place);
    }
    for (const place of places) {
      const others = (this.#claimants.get(place) ?? []).filter((one) => one.key !== key);
      for (const one of others) touched.add(one.key);
      this.#claimants.set(place, [...others, { key, createdAt }].sort(byAge));
    }
    if (places.length > 0) this.#places.set(key, places);
    else this.#places.delete(key);
    return touched;
  }

  /** The key of the Ingress object that has it. */
  ownerOf(place: string): string | undefined {
    return this.#claimants.get(place)?.[0]?.key;
  }
}

function byAge(a: Claimant, b: Claimant): number {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? -1 : 1;
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}

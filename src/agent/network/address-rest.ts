/**
 * When freed addresses may be given again: since some revision no service sends anything there, and every node has applied that
 * one. Otherwise a node that lags would send a stranger's requests to the next pod.
 */
export class AddressRest {
  /** Address → the revision since which no service has it. */
  readonly #unusedSince = new Map<string, number>();

  /**
   * `known`: what services have, and since which revision. Not the one at which it was last seen to be so: the others may hear
   * of that one a minute later. `appliedByAll`: what all nodes have applied, as the servers say; undefined: not known. Gives
   * those that may be given again.
   */
  settle(
    resting: readonly string[],
    known: { readonly addresses: ReadonlySet<string>; readonly since: number },
    appliedByAll: number | undefined,
  ): string[] {
    const now = new Set(resting);
    for (const address of this.#unusedSince.keys()) if (!now.has(address)) this.#unusedSince.delete(address);
    const rested: string[] = [];
    for (const address of resting) {
      if (known.addresses.has(address)) {
        this.#unusedSince.delete(address);
        continue;
      }
      const since = this.#unusedSince.get(address) ?? known.since;
      this.#unusedSince.set(address, since);
      if (appliedByAll !== undefined && since > 0 && appliedByAll >= since) rested.push(address);
    }
    return rested;
  }
}

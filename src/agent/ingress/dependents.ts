/** Who has to be looked at again when something changes: both ways, each a set of names. */
export class Dependents {
  readonly #users = new Map<string, Set<string>>();
  readonly #uses = new Map<string, readonly string[]>();

  /** `user` depends on exactly these from now on. */
  set(user: string, uses: readonly string[]): void {
    for (const one of this.#uses.get(user) ?? []) {
      const users = this.#users.get(one);
      users?.delete(user);
      if (users?.size === 0) this.#users.delete(one);
    }
    for (const one of uses) this.#users.set(one, (this.#users.get(one) ?? new Set<string>()).add(user));
    if (uses.length > 0) this.#uses.set(user, uses);
    else this.#uses.delete(user);
  }

  usersOf(used: string): Iterable<string> {
    return this.#users.get(used) ?? [];
  }
}

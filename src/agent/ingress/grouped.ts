/** Sets of names by the name of their group; an empty one is not kept. */
export class Grouped {
  readonly #groups = new Map<string, Set<string>>();

  put(group: string, name: string, isIn: boolean): void {
    const names = this.#groups.get(group) ?? new Set<string>();
    if (isIn) names.add(name);
    else names.delete(name);
    if (names.size > 0) this.#groups.set(group, names);
    else this.#groups.delete(group);
  }

  of(group: string): Iterable<string> {
    return this.#groups.get(group) ?? [];
  }
}

export function put<V>(map: Map<string, V>, key: string, value: V | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

export function namespaceOf(key: string): string {
  return key.slice(0, key.indexOf('/'));
}

import { type GroupSelector, groupsOf } from '../../resources/address-groups.ts';
import type { Namespace, NetworkPolicy, Pod } from '../../resources/kinds.ts';
import { matchesSelector } from '../../resources/selectors.ts';

type Labels = Readonly<Record<string, string>> | undefined;

/** The groups that policies use now, found by whom they could hold. */
export class WantedGroups {
  readonly #selectors = new Map<string, GroupSelector>();
  /** Group → policies that use it. */
  readonly #users = new Map<string, Set<string>>();
  readonly #byPolicy = new Map<string, readonly string[]>();
  /** Groups of one namespace, by its name. */
  readonly #ofNamespace = new Map<string, Set<string>>();
  readonly #ofNamespaces = new Set<string>();

  selector(group: string): GroupSelector | undefined {
    return this.#selectors.get(group);
  }

  /** Gives the groups that it uses, or used: they may have become wanted or unwanted. */
  setPolicy(key: string, policy: NetworkPolicy | undefined): Set<string> {
    const before = this.#byPolicy.get(key) ?? [];
    const after = policy ? groupsOf(policy) : new Map<string, GroupSelector>();
    for (const group of before) if (!after.has(group)) this.#drop(group, key);
    for (const [group, selector] of after) this.#add(group, selector, key);
    if (after.size > 0) this.#byPolicy.set(key, [...after.keys()]);
    else this.#byPolicy.delete(key);
    return new Set([...before, ...after.keys()]);
  }

  #add(group: string, selector: GroupSelector, policy: string): void {
    const users = this.#users.get(group);
    if (users) {
      users.add(policy);
      return;
    }
    this.#users.set(group, new Set([policy]));
    this.#selectors.set(group, selector);
    if (selector.namespaceSelector) this.#ofNamespaces.add(group);
    const { namespace } = selector;
    if (namespace === undefined) return;
    const groups = this.#ofNamespace.get(namespace) ?? new Set();
    this.#ofNamespace.set(namespace, groups.add(group));
  }

  #drop(group: string, policy: string): void {
    const users = this.#users.get(group);
    users?.delete(policy);
    if (users?.size !== 0) return;
    const namespace = this.#selectors.get(group)?.namespace ?? '';
    this.#users.delete(group);
    this.#selectors.delete(group);
    this.#ofNamespaces.delete(group);
    const groups = this.#ofNamespace.get(namespace);
    groups?.delete(group);
    if (groups?.size === 0) this.#ofNamespace.delete(namespace);
  }

  /** Groups that such a pod would be in. */
  *of(pod: Pod, namespaceLabels: Labels): Iterable<string> {
    const own = this.#ofNamespace.get(pod.metadata.namespace ?? '') ?? [];
    for (const group of own) if (this.#holds(group, pod)) yield group;
    for (const group of this.#ofNamespaces) {
      const { namespaceSelector } = this.#selectors.get(group) ?? {};
      if (matchesSelector(namespaceSelector, namespaceLabels) && this.#holds(group, pod)) yield group;
    }
  }

  /** Groups that hold pods of such a namespace because of its labels. */
  *ofNamespace(namespace: Namespace): Iterable<string> {
    for (const group of this.#ofNamespaces) {
      if (matchesSelector(this.#selectors.get(group)?.namespaceSelector, namespace.metadata.labels)) yield group;
    }
  }

  #holds(group: string, pod: Pod): boolean {
    const { podSelector } = this.#selectors.get(group) ?? {};
    return podSelector === undefined || matchesSelector(podSelector, pod.metadata.labels);
  }
}

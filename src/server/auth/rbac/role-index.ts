import type { PolicyRule } from 'kubernetes-types/rbac/v1.js';
import { type Kind, resourceNameOf } from '../../../resources/kind.ts';
import {
  type ClusterRole,
  type ClusterRoleBinding,
  clusterRoleBindings,
  clusterRoles,
  type Role,
  type RoleBinding,
  roleBindings,
  roles,
} from '../../../resources/kinds.ts';
import type { ApiObject } from '../../../resources/object.ts';
import { serviceAccountUser } from '../service-account/service-account-user.ts';

/** Kinds that the index is made of. */
export const indexedKinds: readonly Kind[] = [
  roles,
  clusterRoles,
  roleBindings,
  clusterRoleBindings,
] as readonly Kind[];

export interface Subject {
  readonly name: string;
  readonly groups: readonly string[];
}

/** What one binding gives to whom it names. */
export interface Grant {
  /** Of the binding; '': everywhere. */
  readonly namespace: string;
  /** `<namespace of the role, '' for a ClusterRole>/<name>`. */
  readonly roleKey: string;
}

/**
 * Roles and bindings of one grid, found by who asks: a request looks at the bindings that name its user or groups, not at
 * all there are.
 */
export class RoleIndex {
  readonly #rules = new Map<string, readonly PolicyRule[]>();
  /** By subject, then by namespace ('' for ClusterRoleBindings), then by the binding's key. */
  readonly #grants = new Map<string, Map<string, Map<string, Grant>>>();
  /** By the binding's key: under which subjects it is found. */
  readonly #subjects = new Map<string, { readonly namespace: string; readonly subjects: readonly string[] }>();

  set(kind: Kind, object: ApiObject): void {
    if (isRole(kind)) this.#rules.set(keyOf(object), (object as Role | ClusterRole).rules ?? []);
    else this.#setBinding(object as RoleBinding | ClusterRoleBinding);
  }

  remove(kind: Kind, object: ApiObject): void {
    if (isRole(kind)) this.#rules.delete(keyOf(object));
    else this.#removeBinding(keyOf(object));
  }

  /** `namespace` '': a ClusterRole. */
  rulesOfRole(namespace: string, name: string): readonly PolicyRule[] | undefined {
    return this.#rules.get(`${namespace}/${name}`);
  }

  /** What is granted to somebody in the whole grid and, unless it is '', in a namespace. */
  *grantsTo(user: Subject, namespace: string): Iterable<Grant> {
    for (const subject of [userKey(user.name), ...user.groups.map(groupKey)]) {
      const byNamespace = this.#grants.get(subject);
      if (!byNamespace) continue;
      yield* byNamespace.get('')?.values() ?? [];
      if (namespace !== '') yield* byNamespace.get(namespace)?.values() ?? [];
    }
  }

  /** Undefined: the role is not there, and gives nothing. */
  rulesOf(grant: Grant): readonly PolicyRule[] | undefined {
    return this.#rules.get(grant.roleKey);
  }

  #setBinding(binding: RoleBinding | ClusterRoleBinding): void {
    const key = keyOf(binding);
    this.#removeBinding(key);
    const namespace = binding.metadata.namespace ?? '';
    const { roleRef } = binding;
    const grant = { namespace, roleKey: `${roleRef.kind === 'Role' ? namespace : ''}/${roleRef.name}` };
    const subjects = [...new Set((binding.subjects ?? []).flatMap((one) => subjectKeys(one, namespace)))];
    for (const subject of subjects) entry(entry(this.#grants, subject), namespace).set(key, grant);
    this.#subjects.set(key, { namespace, subjects });
  }

  #removeBinding(key: string): void {
    const known = this.#subjects.get(key);
    if (!known) return;
    this.#subjects.delete(key);
    for (const subject of known.subjects) {
      const byNamespace = this.#grants.get(subject);
      const grants = byNamespace?.get(known.namespace);
      grants?.delete(key);
      if (grants?.size === 0) byNamespace?.delete(known.namespace);
      if (byNamespace?.size === 0) this.#grants.delete(subject);
    }
  }
}

/** `clusterrole.rbac.authorization.k8s.io "x"`, as Kubernetes names a role that it misses. */
export function describeRole(roleKey: string): string {
  const slash = roleKey.indexOf('/');
  const kind = slash === 0 ? 'clusterrole' : 'role';
  return `${kind}.${clusterRoles.group} ${JSON.stringify(roleKey.slice(slash + 1))}`;
}

function subjectKeys(
  subject: NonNullable<RoleBinding['subjects']>[number],
  bindingNamespace: string,
): readonly string[] {
  switch (subject.kind) {
    case 'User':
      return [userKey(subject.name)];
    case 'Group':
      return [groupKey(subject.name)];
    case 'ServiceAccount': {
      const namespace = subject.namespace || bindingNamespace;
      return namespace === '' ? [] : [userKey(serviceAccountUser(namespace, subject.name))];
    }
    default:
      return [];
  }
}

const userKey = (name: string) => `user ${name}`;
const groupKey = (name: string) => `group ${name}`;

function isRole(kind: Kind): boolean {
  const name = resourceNameOf(kind);
  return name === resourceNameOf(roles) || name === resourceNameOf(clusterRoles);
}

/** Roles and ClusterRoles, and both kinds of bindings, never share a key: only those of a namespace have one. */
function keyOf({ metadata }: ApiObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

function entry<V>(map: Map<string, Map<string, V>>, key: string): Map<string, V> {
  let inner = map.get(key);
  if (!inner) {
    inner = new Map();
    map.set(key, inner);
  }
  return inner;
}

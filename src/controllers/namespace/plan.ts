import type { Namespace } from '../../resources/kinds.ts';
import type { ApiObject } from '../../resources/object.ts';

export type NamespaceStep =
  /** Makes its deletion wait for this controller. */
  | { readonly type: 'protect' }
  | { readonly type: 'delete'; readonly object: ApiObject }
  /** Nothing is left in it: it may go. */
  | { readonly type: 'release' };

export interface NamespaceObservation {
  readonly namespace: Namespace;
  /** Everything in it. Only looked at while it is being deleted. */
  readonly contents: readonly ApiObject[];
}

export const namespaceFinalizer = 'kubernetes';

/** Contents first, the namespace last; deletion never goes back. */
export function planNamespace({ namespace, contents }: NamespaceObservation): NamespaceStep[] {
  const isProtected = namespace.spec?.finalizers?.includes(namespaceFinalizer) === true;
  if (!namespace.metadata.deletionTimestamp) return isProtected ? [] : [{ type: 'protect' }];
  const toDelete = contents.filter((object) => !object.metadata.deletionTimestamp);
  if (toDelete.length > 0) return toDelete.map((object) => ({ type: 'delete', object }));
  return contents.length === 0 && isProtected ? [{ type: 'release' }] : [];
}

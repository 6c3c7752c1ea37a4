import type { OwnerReference } from 'kubernetes-types/meta/v1.js';
import { apiVersionOf, type Kind } from '../resources/kind.ts';
import type { ApiObject } from '../resources/object.ts';

export { objectKey as keyOf } from '../client/paths.ts';

/** The reference that says "this one manages me"; an object has at most one. */
export function controllerOf(object: ApiObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((one) => one.controller === true);
}

/** The reference to write into what `owner` makes. */
export function controllerRef(kind: Kind, owner: ApiObject): OwnerReference {
  return {
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

export function refOf(object: ApiObject): { namespace: string | undefined; name: string } {
  return { namespace: object.metadata.namespace, name: object.metadata.name };
}

/** The other way round. */
export function refOfKey(key: string): { namespace: string | undefined; name: string } {
  const slash = key.indexOf('/');
  return slash < 0
    ? { namespace: undefined, name: key }
    : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

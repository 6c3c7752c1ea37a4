import type { ApiObject } from './object.ts';

/**
 * A kind of object as data: the single truth about it. `kinds.ts` has them all. Everything that knows Kubernetes' wire
 * form reads this: decoding, strictness, defaults, validation, merge, tables, discovery, OpenAPI.
 */
export interface Kind<T extends ApiObject = ApiObject> {
  /** '' for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  /** Phantom: carries the object's type; never present at run time. */
  readonly type?: T;
}

/** `v1` or `apps/v1`. */
export function apiVersionOf(kind: Kind): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}

/** `pods` or `deployments.apps`, as Kubernetes' messages write it. */
export function resourceNameOf(kind: Kind): string {
  return kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`;
}

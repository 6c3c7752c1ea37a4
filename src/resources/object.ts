import type { ObjectMeta } from 'kubernetes-types/meta/v1.js';

/**
 * The shape every object has on the wire and in the store. `resourceVersion` is opaque: compare it for equality, hand it
 * back, nothing else. Times are RFC 3339 in UTC with second precision.
 */
export interface ApiObject {
  apiVersion: string;
  kind: string;
  metadata: Meta;
}

/** Metadata whose name is known; the server fills uid, resourceVersion, creationTimestamp and generation. */
export type Meta = ObjectMeta & { name: string };

/** An interface of `kubernetes-types` as it is served: type and name present, `Keys` never missing. */
export type Served<T, Keys extends keyof T = never> = Omit<T, 'apiVersion' | 'kind' | 'metadata' | Keys> &
  Required<Pick<T, Keys>> &
  ApiObject;

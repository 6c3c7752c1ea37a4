import type { Kind } from '../resources/kind.ts';
import type { ObjectRef } from './client.ts';

export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** `namespace/name`, or `name` for cluster-wide objects: the key of informers and work queues. */
export function objectKey(object: {
  readonly metadata: { readonly namespace?: string; readonly name: string };
}): string {
  return refKey(object.metadata);
}

export function refKey(ref: ObjectRef): string {
  return ref.namespace === undefined || ref.namespace === '' ? ref.name : `${ref.namespace}/${ref.name}`;
}

/** What of a kind a path needs. */
export type KindPath = Pick<Kind, 'group' | 'version' | 'plural' | 'namespaced' | 'kind'>;

export interface PathOptions {
  readonly grid: string;
  readonly kind: KindPath;
  /** Absent for a namespaced kind: all namespaces. */
  readonly namespace?: string | undefined;
  /** Absent: the whole collection. */
  readonly name?: string;
  readonly subresource?: string | undefined;
  readonly query?: Query;
}

/** `/grids/main/api/v1/namespaces/shop/pods/web-1/log?follow=true`. */
export function pathOf(options: PathOptions): string {
  const { grid, kind, namespace, name, subresource } = options;
  if (name === '') throw new Error(`${kind.plural}: empty name`); // would address the whole collection
  if (name !== undefined && kind.namespaced && !namespace) throw new Error(`${kind.kind} ${name}: namespace missing`);
  const parts = kind.group === '' ? ['api', kind.version] : ['apis', kind.group, kind.version];
  if (kind.namespaced && namespace) parts.push('namespaces', namespace);
  parts.push(kind.plural);
  if (name !== undefined) parts.push(name);
  if (subresource !== undefined) parts.push(subresource);
  return `/grids/${encodeURIComponent(grid)}/${parts.map(encodeURIComponent).join('/')}${queryText(options.query ?? {})}`;
}

/** `?a=1&b=x`, without what is undefined; '' when nothing is left. */
export function queryText(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    if (Array.isArray(value)) for (const one of value) parameters.append(name, one);
    else parameters.append(name, String(value));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

import type { ApiObject } from './object.ts';
import type { FieldError, Message } from './schema.ts';

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
  /** `all`: shown by `kubectl get all`. */
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  readonly verbs: readonly Verb[];
  readonly subresources: readonly Subresource[];
  /** Fields of the object, `metadata` included; `apiVersion` and `kind` are understood. */
  readonly message: Message;
  /** Clients may send it as protobuf. */
  readonly hasProtobuf: boolean;
  /** Strategic merge patches are understood; otherwise they are answered with 415, as for custom resources. */
  readonly hasStrategicMerge: boolean;
  readonly nameRule: 'subdomain' | 'label' | 'dns1035' | 'pathSegment';
  /** Number of the form that is written to the store now. */
  readonly storageVersion: number;
  /** By version: how an object stored in it becomes one of the next version. One for each version before this one. */
  readonly migrations: Readonly<Record<number, (object: StoredForm) => StoredForm>>;
  /** Stored as ciphertext: it may repeat a user's secrets. */
  readonly encrypted: boolean;
  /** The store forgets it so long after its newest write. */
  readonly ttlSeconds?: number;
  /** What field selectors may ask for besides `metadata.name` and `metadata.namespace`. */
  readonly selectableFields: Readonly<Record<string, FieldReader<T>>>;
  /** Of `kubectl get`; Age is among them. */
  readonly columns: readonly Column<T>[];
  /** The object with what its status has from the start. */
  prepareForCreate?(object: T): T;
  /** The object as an update means it: with what the server gave `old` and the writer left out. Must not change either. */
  prepareForUpdate?(object: T, old: T): T;
  /** What its fields' own checks cannot tell. */
  validate?(object: T, errors: FieldError[]): void;
  validateUpdate?(object: T, old: T, errors: FieldError[], options: { readonly subresource?: string }): void;
  /** Phantom: carries the object's type; never present at run time. */
  readonly type?: T;
}

/** Gives a field as text. Taken from a method, so that a `Kind<Pod>` is a `Kind`. */
export type FieldReader<T extends ApiObject> = { read(object: T): string }['read'];

/** An object as it lies in the store, in whatever version: nothing can be said about its fields. */
export type StoredForm = Record<string, unknown>;

export type Verb = 'create' | 'delete' | 'deletecollection' | 'get' | 'list' | 'patch' | 'update' | 'watch';

export interface Subresource {
  readonly name: 'status' | 'scale' | 'log' | 'exec' | 'attach' | 'portforward' | 'binding' | 'eviction' | 'token';
  readonly verbs: readonly Verb[];
  /** What its path answers with. */
  readonly responseKind: { readonly group: string; readonly version: string; readonly kind: string };
}

export interface Column<T extends ApiObject = ApiObject> {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  /** `name` on the first column. */
  readonly format?: string;
  /** 1: shown with `-o wide` only. Default 0. */
  readonly priority?: number;
  readonly description: string;
  value(object: T, nowMs: number): string | number;
}

/** `v1` or `apps/v1`. */
export function apiVersionOf(kind: Kind): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}

/** `pods` or `deployments.apps`, as Kubernetes' messages write it. */
export function resourceNameOf(kind: Pick<Kind, 'group' | 'plural'>): string {
  return kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`;
}

/** Whether status is written through a path of its own and ignored elsewhere. */
export function hasSubresource(kind: Kind, name: Subresource['name']): boolean {
  return kind.subresources.some((one) => one.name === name);
}

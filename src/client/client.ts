import type { Kind } from '../resources/kind.ts';
import type { ApiObject } from '../resources/object.ts';

/**
 * The one way to read and write objects, over HTTPS or inside a server's process. All calls throw ApiError (the server's
 * own Status) or FlotillaError Unavailable (no server answered; retryable). A client belongs to one grid.
 */
export interface Client {
  readonly grid: string;

  get<T extends ApiObject>(kind: Kind<T>, ref: ObjectRef, options?: CallOptions): Promise<T>;

  /** Everything that matches, at one revision. */
  list<T extends ApiObject>(kind: Kind<T>, options?: ListOptions): Promise<ObjectList<T>>;

  /**
   * Events after `resourceVersion`, in order. Ends cleanly when the server ends it (watch again from the last version),
   * by `signal`, or throws ApiError 410 Expired (list again).
   */
  watch<T extends ApiObject>(kind: Kind<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>>;

  /** `metadata.namespace` decides where. */
  create<T extends ApiObject>(kind: Kind<T>, object: T, options?: CallOptions): Promise<T>;

  /** Replaces; 409 Conflict when `metadata.resourceVersion` is given and no longer the newest. */
  update<T extends ApiObject>(kind: Kind<T>, object: T, options?: CallOptions): Promise<T>;

  /** Replaces the status only. */
  updateStatus<T extends ApiObject>(kind: Kind<T>, object: T, options?: CallOptions): Promise<T>;

  patch<T extends ApiObject>(kind: Kind<T>, ref: ObjectRef, patch: Patch, options?: CallOptions): Promise<T>;

  /**
   * Places a pod: `POST pods/<name>/binding` with a Binding whose target is the node. Only the scheduler calls it.
   * 409 Conflict when the pod has a node already or is another one by now (`options.uid`).
   */
  bindPod(pod: ObjectRef, nodeName: string, options?: BindOptions): Promise<void>;

  /** Resolves when the server accepted it; the object may live on until its finalizers and grace period end. */
  delete<T extends ApiObject>(kind: Kind<T>, ref: ObjectRef, options?: DeleteOptions): Promise<void>;
}

/** `namespace` is absent for cluster-wide kinds. */
export interface ObjectRef {
  readonly namespace?: string | undefined;
  readonly name: string;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Travels as `X-Request-Id` into the audit trail and the agents' logs. Default: a new one. */
  readonly requestId?: string;
}

export interface ListOptions extends CallOptions {
  /** Absent: all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** `0`: whatever the server has at hand. Absent: fresh. */
  readonly resourceVersion?: string;
}

export interface ObjectList<T> {
  readonly resourceVersion: string;
  readonly items: readonly T[];
}

export interface WatchOptions extends ListOptions {
  readonly resourceVersion: string;
}

/** Objects are shared: never change one that a client handed out; `structuredClone` it first. */
export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

export interface Patch {
  readonly type: 'json' | 'merge' | 'strategic';
  readonly body: unknown;
  /** `finalize`: the finalizers in a namespace's spec. */
  readonly subresource?: 'status' | 'scale' | 'finalize';
}

export interface BindOptions extends CallOptions {
  /** Of the pod that was placed. */
  readonly uid?: string;
}

export interface DeleteOptions extends CallOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  /** Refused with 409 when the object is another one by now. */
  readonly uid?: string;
  readonly resourceVersion?: string;
}

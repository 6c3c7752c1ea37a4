import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Kind } from '../resources/kind.ts';
import type { Pod } from '../resources/kinds.ts';
import type { ApiObject } from '../resources/object.ts';

/** Who asks. From a client certificate, a bearer token, or the server itself. */
export interface User {
  /** `flotilla:admin`, `system:node:h1`, `system:join:<token id>`, `system:controller:<name>`. */
  readonly name: string;
  readonly groups: readonly string[];
  /** The only grid this user may touch; absent: all. */
  readonly grid?: string;
}

/** What every step of handling a request knows. */
export interface RequestContext {
  readonly requestId: string;
  readonly user: User;
  readonly grid: string;
  readonly sourceAddress: string;
  readonly userAgent: string;
  /** Aborted when the client went away or the server stops. */
  readonly signal: AbortSignal;
}

/** Works for HTTP/1.1 and HTTP/2 (the compatibility API). */
export type HttpRequest = IncomingMessage | Http2ServerRequest;
export type HttpResponse = ServerResponse | Http2ServerResponse;

/** What a request wants to do, in Kubernetes' words: the input of authorization and audit. */
export interface Attributes {
  readonly verb: 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';
  readonly grid: string;
  readonly kind: Kind;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
  /** Raw selectors of a list or watch. */
  readonly fieldSelector?: string;
  /** The second time, for writes: what would be written. A `create` is only decided for good with it. */
  readonly object?: ApiObject;
}

export type Decision = { readonly allowed: true } | { readonly allowed: false; readonly reason: string };

/** Asked before every access to an object; for writes by nodes a second time with the object that would be written. */
export interface Authorizer {
  authorize(user: User, attributes: Attributes): Decision;
}

/** Fast look-ups in the watch caches that authorization needs. */
export interface PodIndex {
  podsOnNode(grid: string, nodeName: string): Iterable<Pod>;
  pod(grid: string, namespace: string, name: string): Pod | undefined;
}

/** One line per change (and per refused request): who, what, when, from where; never a body. */
export interface AuditRecord {
  readonly requestId: string;
  readonly user: string;
  readonly sourceAddress: string;
  readonly userAgent: string;
  readonly verb: string;
  readonly grid: string;
  readonly resource: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
  readonly code: number;
}

export interface AuditSink {
  write(record: AuditRecord): void;
}

/** `/api`, `/apis`, `/openapi`, `/version`, `/healthz` … below an already stripped `/grids/<grid>`. Never throws. */
export interface KubeHandler {
  handle(context: RequestContext, request: HttpRequest, response: HttpResponse, path: URL): Promise<void>;
  /** `exec` over WebSocket: an HTTP/1.1 upgrade. */
  upgrade(context: RequestContext, request: IncomingMessage, socket: Duplex, head: Buffer, path: URL): Promise<void>;
}

/** Subresources of pods that are streams from the pod's agent; implemented over the tunnel. */
export interface PodStreams {
  /** Answers on `response` itself, errors as a Status. */
  logs(context: RequestContext, pod: Pod, path: URL, response: HttpResponse): Promise<void>;
  exec(
    context: RequestContext,
    pod: Pod,
    path: URL,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ): Promise<void>;
}

/** Who is alive, as this server hears it; read by the node lifecycle controller. */
export interface Liveness {
  /** Monotonic milliseconds of the newest ping of a node in any session with this server; undefined: never heard. */
  lastHeardMs(grid: string, nodeName: string): number | undefined;
  /** Called when a session of a node begins or ends. */
  onChange(listener: (grid: string, nodeName: string) => void): () => void;
}

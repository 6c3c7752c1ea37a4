import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { PolicyRule } from 'kubernetes-types/rbac/v1.js';
import type { Applied, IngressProblem } from '../resources/applied.ts';
import type { Kind } from '../resources/kind.ts';
import type { Pod } from '../resources/kinds.ts';
import type { ApiObject } from '../resources/object.ts';

/** Who asks. From a client certificate, a bearer token, or the server itself. */
export interface User {
  /** `flotilla:admin`, `system:node:h1`, `system:serviceaccount:<namespace>:<name>`, `system:join:<token id>`. */
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid?: string;
  /** Such as the pod that a service account's token was made for. */
  readonly extra?: Readonly<Record<string, readonly string[]>>;
  /** The only grid this user may touch; absent: all. */
  readonly grid?: string;
}

/** What every step of handling a request knows. */
export interface RequestContext {
  readonly requestId: string;
  readonly user: User;
  /** Who really asks, when `user` is whom he asks to be taken for (`kubectl --as`). */
  readonly impersonator?: string;
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

/** What may be asked about: kinds that are served, and names of Kubernetes' that only rules know (`users`, `groups`). */
export type ResourceType = Pick<Kind, 'group' | 'plural' | 'namespaced'>;

/** The same for verbs that no request has (`impersonate`, `bind`, `escalate`) and for what is only asked about. */
export interface AccessQuestion extends Omit<Attributes, 'verb' | 'kind'> {
  readonly verb: string;
  readonly kind: ResourceType;
}

/** A path that is no object: `/metrics`, `/apis`. */
export interface PathQuestion {
  readonly grid: string;
  /** The method in lower case. */
  readonly verb: string;
  readonly path: string;
}

/** What somebody may do in a namespace, as rules. */
export interface UserRules {
  readonly rules: readonly PolicyRule[];
  /** Roles that bindings name and that are not there. */
  readonly problems: readonly string[];
  /** He may do more than the rules say. */
  readonly isIncomplete: boolean;
}

/** `reason` is the whole sentence for who asked; `why` what the question does not say itself, if there is anything. */
export type Decision =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly reason: string; readonly why?: string };

/** Asked before every access to an object; for writes by nodes a second time with the object that would be written. */
export interface Authorizer {
  authorize(user: User, question: AccessQuestion): Decision;
  authorizePath(user: User, question: PathQuestion): Decision;
  /** `namespace` '': what holds in the whole grid. */
  rulesOf(user: User, grid: string, namespace: string): UserRules;
  /** Of a role; undefined: there is none. `namespace` '': a ClusterRole. */
  rulesOfRole(grid: string, namespace: string, name: string): readonly PolicyRule[] | undefined;
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
  /** Whom `user` asked to be taken for. */
  readonly impersonated?: string;
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
  /** exec, attach and portforward: an HTTP/1.1 upgrade. */
  upgrade(context: RequestContext, request: IncomingMessage, socket: Duplex, head: Buffer, path: URL): Promise<void>;
}

/** A request to leave HTTP for a stream to a pod: an HTTP/1.1 upgrade to WebSocket or SPDY/3.1. */
export interface PodUpgrade {
  readonly subresource: 'exec' | 'attach' | 'portforward';
  readonly path: URL;
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** Subresources of pods that are streams from the pod's agent; implemented over the tunnel. */
export interface PodStreams {
  /** Answers on `response` itself, errors as a Status. */
  logs(context: RequestContext, pod: Pod, path: URL, response: HttpResponse): Promise<void>;
  /** Answers on the socket itself, errors as a Status. */
  upgrade(context: RequestContext, pod: Pod, upgrade: PodUpgrade): Promise<void>;
}

/** Who is alive, as this server hears it; read by the node lifecycle controller. */
export interface Liveness {
  /** Monotonic milliseconds of the newest ping of a node in any session with this server; undefined: never heard. */
  lastHeardMs(grid: string, nodeName: string): number | undefined;
  /** The node's newest session came from this server's own machine. */
  isLocal(grid: string, nodeName: string): boolean;
  /** Called when a session of a node begins or ends. */
  onChange(listener: (grid: string, nodeName: string) => void): () => void;
  /** How far a node has applied what it was sent; undefined: it does not tell. Revision 0: it has not told yet. */
  appliedOf(grid: string, nodeName: string): Applied | undefined;
  /** Called when a node tells how far it has applied. */
  onApplied(listener: (grid: string, nodeName: string) => void): () => void;
  /** What the proxy of a node does not do as it was asked to; empty where there is none. */
  ingressProblemsOf(grid: string, nodeName: string): readonly IngressProblem[];
  /** Called with the Ingress objects (`<namespace>/<name>`) about which a node says something else than before. */
  onIngressProblems(listener: (grid: string, ingresses: readonly string[]) => void): () => void;
}

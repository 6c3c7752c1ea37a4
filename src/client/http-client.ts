import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { TokenRequest, TokenRequestSpec, TokenRequestStatus } from 'kubernetes-types/authentication/v1.js';
import { stopFirst } from '../resources/eviction-surge.ts';
import { apiVersionOf, type Kind } from '../resources/kind.ts';
import { pods, serviceAccounts } from '../resources/kinds.ts';
import { annotations } from '../resources/names.ts';
import type { ApiObject } from '../resources/object.ts';
import { ApiError } from './api-error.ts';
import type { BindOptions, CallOptions, Client, ListOptions, ObjectList, WatchEvent, WatchOptions } from './client.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { type HttpAnswer, sendRequest } from './http-request.ts';
import { IdleTimer } from './idle-timer.ts';
import { pathOf, type Query } from './paths.ts';
import { attachToPod, execInPod, type PodAttachOptions, type PodExec, type PodExecOptions } from './pod-exec.ts';
import { connectToPod } from './pod-forward.ts';
import { type PodLogsOptions, type PodRef, podLogsQuery } from './pod-logs.ts';
import { readBody, readLines } from './read-lines.ts';
import { deleteBodyOf, failureOf, parseJson, type WireList, watchEventOf } from './wire.ts';

export interface HttpClientOptions extends ConnectionOptions {
  readonly grid: string;
  /** `flotilla/0.1.0 (agent h1)`. */
  readonly userAgent: string;
  /** Of every call that gives none. Default: a new one each. */
  readonly requestId?: string;
  /** While the store does not answer, reads give what the server has at hand, with a warning; else they fail. */
  readonly readsKnown?: boolean;
  /** For each call that is no watch, log or exec. Default 30,000. */
  readonly timeoutMs?: number;
  /** A watch that brings nothing, not even a bookmark, for so long is given up. Default 180,000. */
  readonly watchIdleMs?: number;
}

export interface RawRequest extends CallOptions {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** From the root of the server: `/version`, `/agent/v1/join`. */
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
  readonly accept?: string;
  /** The answer may take for ever: only its beginning has a deadline. */
  readonly isStream?: boolean;
}

export interface EvictOptions extends BindOptions {
  /** It goes before another one does its work. */
  readonly isStopFirst?: boolean;
}

/** The API over HTTPS, and what is no object: logs, exec, other paths. */
export interface HttpClient extends Client {
  /** The server in use, `https://host:port`. */
  readonly server: string;
  /** Throws ApiError for an answer of 400 and above. */
  raw(request: RawRequest): Promise<HttpAnswer>;
  /** A token of a service account. */
  requestToken(account: PodRef, spec: TokenRequestSpec, options?: CallOptions): Promise<TokenRequestStatus>;
  /** Deletes a pod unless a budget forbids it now, or another one is to do its work first: ApiError 429 TooManyRequests. */
  evictPod(pod: PodRef, options?: EvictOptions): Promise<void>;
  /** The log's bytes as they come. Ends with the container, or by `signal`. */
  podLogs(ref: PodRef, options?: PodLogsOptions): AsyncIterable<Buffer>;
  /** Resolves when the command runs. */
  podExec(ref: PodRef, options: PodExecOptions): Promise<PodExec>;
  /** Joins a container's own process, over a connection of its own. */
  podAttach(ref: PodRef, options: PodAttachOptions): Promise<PodExec>;
  /** A connection to a TCP port of a pod. */
  podConnect(ref: PodRef, port: number, options?: CallOptions): Promise<Duplex>;
  /** The same connection, another grid. Closing either closes both. */
  forGrid(grid: string): HttpClient;
  close(): void;
}

const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
} as const;

export function createHttpClient(options: HttpClientOptions): HttpClient {
  return clientOver(new Connection(options), options);
}

function clientOver(connection: Connection, options: HttpClientOptions): HttpClient {
  const { grid } = options;
  const timeoutMs = options.timeoutMs ?? 30_000;

  function headersOf(request: CallOptions & { contentType?: string; accept?: string }): Record<string, string> {
    return {
      accept: request.accept ?? 'application/json',
      'user-agent': options.userAgent,
      'x-request-id': request.requestId ?? options.requestId ?? randomUUID(),
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
      ...(request.contentType === undefined ? {} : { 'content-type': request.contentType }),
    };
  }

  async function raw(request: RawRequest): Promise<HttpAnswer> {
    const { method, path, body, signal, isStream = false } = request;
    const answer = await sendRequest(connection, {
      method,
      path,
      body,
      signal,
      timeoutMs,
      isStream,
      headers: headersOf(request),
    });
    if (answer.status >= 400) throw await failureOf(answer, `${method} ${path.split('?')[0]}`);
    return answer;
  }

  async function call<T>(
    method: RawRequest['method'],
    path: string,
    more: CallOptions = {},
    body?: unknown,
    contentType = 'application/json',
  ): Promise<T> {
    const { signal, requestId } = more;
    const answer = await raw({
      method,
      path,
      ...(signal === undefined ? {} : { signal }),
      ...(requestId === undefined ? {} : { requestId }),
      ...(body === undefined ? {} : { body: JSON.stringify(body), contentType }),
    });
    return parseJson<T>(await readBody(answer.body), path);
  }

  const listPath = (kind: Kind, more: ListOptions, query: Query = {}): string => {
    const { namespace, labelSelector, fieldSelector, resourceVersion } = more;
    return pathOf({ grid, kind, namespace, query: { labelSelector, fieldSelector, resourceVersion, ...query } });
  };
  const of = (kind: Kind, object: ApiObject, subresource?: string): string => {
    const { namespace, name } = object.metadata;
    return pathOf({ grid, kind, namespace, name, subresource });
  };

  async function* watch<T extends ApiObject>(kind: Kind<T>, more: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    const idle = new IdleTimer(options.watchIdleMs ?? 180_000, more.signal);
    try {
      const path = listPath(kind, more, { watch: true, allowWatchBookmarks: true });
      const requestId = more.requestId === undefined ? {} : { requestId: more.requestId };
      const answer = await raw({ method: 'GET', path, isStream: true, signal: idle.signal, ...requestId });
      for await (const line of readLines(answer.body)) {
        idle.reset();
        yield watchEventOf<T>(parseJson(line, path));
      }
    } catch (error) {
      if (!more.signal?.aborted) throw error;
    } finally {
      idle.stop();
    }
  }

  async function* podLogs(ref: PodRef, more: PodLogsOptions = {}): AsyncGenerator<Buffer> {
    const path = pathOf({ grid, kind: pods, ...ref, subresource: 'log', query: podLogsQuery(more) });
    const { signal, requestId } = more;
    try {
      const answer = await raw({
        method: 'GET',
        path,
        isStream: true,
        accept: 'text/plain, application/json, */*',
        ...(signal === undefined ? {} : { signal }),
        ...(requestId === undefined ? {} : { requestId }),
      });
      yield* answer.body;
    } catch (error) {
      if (!signal?.aborted) throw error;
    }
  }

  return {
    grid,
    get server() {
      return connection.server;
    },
    raw,
    podLogs,
    podExec: (ref, more) => execInPod({ connection, grid, headers: headersOf(more), timeoutMs }, ref, more),
    podAttach: (ref, more) => attachToPod({ connection, grid, headers: headersOf(more), timeoutMs }, ref, more),
    podConnect: (ref, port, more = {}) =>
      connectToPod({ connection, grid, headers: headersOf(more), timeoutMs }, ref, port, more.signal),
    forGrid: (other) => clientOver(connection, { ...options, grid: other }),
    close: () => connection.close(),
    watch,
    get: (kind, ref, more) =>
      freshOrKnown((query) => call('GET', pathOf({ grid, kind, ...ref, query }), more), options.readsKnown),
    list: async <T extends ApiObject>(kind: Kind<T>, more: ListOptions = {}): Promise<ObjectList<T>> => {
      const read = (query: Query) => call<WireList<T>>('GET', listPath(kind, more, query), more);
      const list = await freshOrKnown(read, options.readsKnown && more.resourceVersion === undefined);
      const items = list.items ?? [];
      for (const item of items) {
        item.apiVersion ??= apiVersionOf(kind); // items of a list need not carry them
        item.kind ??= kind.kind;
      }
      return { resourceVersion: list.metadata.resourceVersion ?? '', items };
    },
    create: (kind, object, more) =>
      call('POST', pathOf({ grid, kind, namespace: object.metadata.namespace }), more, object),
    update: (kind, object, more) => call('PUT', of(kind, object), more, object),
    updateStatus: (kind, object, more) => call('PUT', of(kind, object, 'status'), more, object),
    patch: (kind, ref, { type, body, subresource }, more) =>
      call('PATCH', pathOf({ grid, kind, ...ref, subresource }), more, body, patchTypes[type]),
    bindPod: async (pod, nodeName, more = {}) => {
      const metadata = { name: pod.name, ...(more.uid === undefined ? {} : { uid: more.uid }) };
      const binding = { apiVersion: 'v1', kind: 'Binding', metadata, target: { kind: 'Node', name: nodeName } };
      await call('POST', pathOf({ grid, kind: pods, ...pod, subresource: 'binding' }), more, binding);
    },
    requestToken: async (account, spec, more) => {
      const path = pathOf({ grid, kind: serviceAccounts, ...account, subresource: 'token' });
      const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', metadata: {}, spec };
      const { status } = await call<TokenRequest>('POST', path, more, body);
      return status ?? { token: '', expirationTimestamp: '' };
    },
    evictPod: async ({ namespace, name }, more = {}) => {
      const preconditions = more.uid === undefined ? {} : { deleteOptions: { preconditions: { uid: more.uid } } };
      const how = more.isStopFirst ? { annotations: { [annotations.evict]: stopFirst } } : {};
      const metadata = { namespace, name, ...how };
      const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata, ...preconditions };
      await call('POST', pathOf({ grid, kind: pods, namespace, name, subresource: 'eviction' }), more, body);
    },
    delete: async (kind, ref, more = {}) => {
      await call('DELETE', pathOf({ grid, kind, ...ref }), more, deleteBodyOf(more));
    },
  };
}

async function freshOrKnown<T>(read: (query: Query) => Promise<T>, mayBeOld: boolean | undefined): Promise<T> {
  try {
    return await read({});
  } catch (error) {
    const isStoreSilent = error instanceof ApiError && (error.status.code === 503 || error.status.code === 504);
    if (!mayBeOld || !isStoreSilent) throw error;
    return await read({ resourceVersion: '0' });
  }
}

import { type Clock, systemClock } from '../../lib/clock.ts';
import { type Logger, silentLogger } from '../../lib/log.ts';
import type { Counter, Metrics } from '../../lib/metrics.ts';
import { ApiError } from '../../resources/api-error.ts';
import type { ServiceAccountTokens } from '../auth/service-account/tokens.ts';
import type { WatchCache } from '../cache/watch-cache.ts';
import { WatchTurns } from '../cache/watch-turns.ts';
import { writeStatus, writeStatusToSocket } from '../http/write-status.ts';
import { asApiError, methodNotAllowed, unknownPath } from '../registry/api-errors.ts';
import type { Registry } from '../registry/registry.ts';
import type {
  Attributes,
  AuditSink,
  Authorizer,
  HttpRequest,
  KubeHandler,
  PodStreams,
  RequestContext,
} from '../request.ts';
import type { Standstill } from '../standstill.ts';
import { attributesOf, isMutating, requirePath } from './authorize.ts';
import { apiGroup, discovery, discoveryContentType, discoveryForm, resourceList } from './discovery.ts';
import { type Exchange, sendJson } from './exchange.ts';
import { handleObjects, type ObjectDependencies, podForStream, podStreamNames } from './objects.ts';
import { discardBody } from './request-body.ts';
import { handleReview, type TokenReviewer } from './reviews.ts';
import { parseRoute, type Route } from './route.ts';
import { OpenApiDocuments, sendHealth, versionInfo } from './system-paths.ts';

export interface KubeHandlerOptions {
  readonly registry: Registry;
  readonly cache: WatchCache;
  readonly authorizer: Authorizer;
  readonly audit: AuditSink;
  readonly podStreams: PodStreams;
  /** Absent: nobody waits. */
  readonly standstill?: Standstill;
  /** Absent: TokenReviews know no token. */
  readonly reviewToken?: TokenReviewer;
  /** Absent: none are issued. */
  readonly serviceAccountTokens?: ServiceAccountTokens;
  readonly metrics: Metrics;
  /** Of Flotilla: stands behind the `+` of `/version`. */
  readonly version: string;
  readonly clock?: Clock;
  readonly log?: Logger;
  /** Further sentences about what keeps this server from being ready; asked by `/readyz`. */
  readonly problems?: () => readonly string[];
}

/** Everything below `/api`, `/apis`, `/openapi`, `/version` and the health paths, for requests that are authenticated. */
export function createKubeHandler(options: KubeHandlerOptions): KubeHandler {
  const { audit, metrics, log = silentLogger } = options;
  const kube = new KubeRequests(options);
  const requests = metrics.counter('flotilla_requests_total', 'Requests answered, watches when they end.');
  return {
    handle: async (context, request, response, path) => {
      const exchange: Exchange = { context, request, response, path, query: path.searchParams, warnings: [] };
      const asked = new Asked(context, request, path);
      try {
        await kube.handle(exchange, asked);
        asked.createdName = exchange.createdName;
        asked.report(audit, requests, response.statusCode);
      } catch (thrown) {
        const error = visible(thrown, context, log);
        // Over HTTP/1.1 an answer before the end of the body would be lost with the connection.
        if (error.status.code === 413 && request.httpVersionMajor === 1) await discardBody(request);
        // The client has gone away: nobody reads the answer, but a change that it asked for is told.
        if (!response.destroyed) writeStatus(response, error);
        // What of the body was not read is thrown away: over HTTP/2 the client would wait with it for ever.
        request.resume();
        asked.report(audit, requests, error.status.code);
      }
    },
    upgrade: async (context, request, socket, head, path) => {
      const asked = new Asked(context, request, path);
      try {
        const { pod, subresource } = await kube.podFor(context, asked);
        asked.report(audit, requests, 101);
        await options.podStreams.upgrade(context, pod, { subresource, path, request, socket, head });
      } catch (thrown) {
        const error = visible(thrown, context, log);
        writeStatusToSocket(socket, error, context.requestId);
        asked.report(audit, requests, error.status.code);
      }
    },
  };
}

/** What is known of a request so far, for the audit trail and the counters. */
class Asked {
  readonly #context: RequestContext;
  readonly method: string;
  readonly path: URL;
  route: Route | undefined;
  attributes: Attributes | undefined;
  createdName: string | undefined;

  constructor(context: RequestContext, request: HttpRequest, path: URL) {
    this.#context = context;
    this.method = request.method ?? '';
    this.path = path;
  }

  /** Changes and refusals are told; reads are only counted. */
  report(audit: AuditSink, requests: Counter, code: number): void {
    const { attributes } = this;
    requests.add({ verb: attributes?.verb ?? this.method.toLowerCase(), code: String(code) });
    if (!attributes) return;
    const { verb, kind, namespace, name = this.createdName, subresource } = attributes;
    if (!isMutating(verb, kind, subresource) && code !== 401 && code !== 403) return;
    const { requestId, user, impersonator, sourceAddress, userAgent, grid } = this.#context;
    audit.write({
      requestId,
      user: impersonator ?? user.name,
      ...(impersonator === undefined ? {} : { impersonated: user.name }),
      sourceAddress,
      userAgent,
      verb,
      grid,
      resource: kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`,
      ...(namespace === undefined ? {} : { namespace }),
      ...(name === undefined ? {} : { name }),
      ...(subresource === undefined ? {} : { subresource }),
      code,
    });
  }
}

class KubeRequests {
  readonly #options: KubeHandlerOptions;
  readonly #dependencies: ObjectDependencies;
  readonly #openApi = new OpenApiDocuments();

  constructor(options: KubeHandlerOptions) {
    this.#options = options;
    const { registry, cache, authorizer, podStreams, standstill, metrics, clock = systemClock } = options;
    const help = 'Time from hearing of a change to handing it to the connection of a watcher.';
    const deliverySeconds = metrics.histogram('flotilla_watch_delivery_seconds', help);
    const turns = new WatchTurns(clock);
    this.#dependencies = {
      registry,
      cache,
      authorizer,
      podStreams,
      standstill,
      clock,
      deliverySeconds,
      turns,
      serviceAccountTokens: options.serviceAccountTokens,
    };
  }

  async handle(exchange: Exchange, asked: Asked): Promise<void> {
    const route = parseRoute(exchange.path.pathname);
    if (!route) throw unknownPath();
    asked.route = route;
    if (route.type === 'objects' || route.type === 'object') {
      const attributes = attributesOf(exchange.context, route, asked.method, exchange.query);
      if (!attributes) throw methodNotAllowed();
      asked.attributes = attributes;
      return await handleObjects(exchange, this.#dependencies, route, attributes);
    }
    if (route.type === 'review') {
      if (asked.method !== 'POST') throw methodNotAllowed();
      return await handleReview(exchange, this.#options, route);
    }
    if (asked.method !== 'GET' && asked.method !== 'HEAD') throw methodNotAllowed();
    // Version and health are for everybody, also before he says who he is.
    if (route.type !== 'version' && route.type !== 'health') {
      requirePath(this.#options.authorizer, exchange.context, exchange.path.pathname);
    }
    await this.#handleSystem(exchange, route);
  }

  /** Only streams to pods are upgrades. The verb is always `create`: WebSocket clients GET what changes something. */
  async podFor(context: RequestContext, asked: Asked) {
    const route = parseRoute(asked.path.pathname);
    if (route?.type !== 'object' || route.kind.plural !== 'pods') throw unknownPath();
    const subresource = podStreamNames.find((one) => one === route.subresource);
    if (!subresource) throw unknownPath();
    const attributes = attributesOf(context, route, 'POST', asked.path.searchParams);
    if (!attributes) throw methodNotAllowed();
    asked.attributes = attributes;
    const pod = await podForStream({ context }, this.#dependencies, route, attributes);
    return { pod, subresource };
  }

  async #handleSystem(
    exchange: Exchange,
    route: Exclude<Route, { readonly type: 'objects' | 'object' | 'review' }>,
  ): Promise<void> {
    switch (route.type) {
      case 'version':
        return await sendJson(exchange, versionInfo(this.#options.version));
      case 'health':
        return await sendHealth(exchange, route.check, this.#problems());
      case 'openApi':
        return await this.#openApi.send(exchange, route);
      case 'discovery': {
        const form = discoveryForm(exchange.request.headers.accept);
        const contentType = discoveryContentType(form);
        return await sendJson(exchange, discovery(route.path, form), { contentType, headers: { vary: 'Accept' } });
      }
      case 'group':
        return await sendJson(exchange, known(apiGroup(route.group)));
      case 'groupVersion':
        return await sendJson(exchange, known(resourceList(route.group, route.version)));
    }
  }

  #problems(): string[] {
    const { cache, problems } = this.#options;
    const lagging = cache.isFollowing ? [] : ['the store cannot be followed'];
    const silent = cache.silentMs === undefined ? [] : ['the store does not answer'];
    return [...lagging, ...silent, ...(problems?.() ?? [])];
  }
}

function known(document: object | undefined): object {
  if (!document) throw unknownPath();
  return document;
}

/** What the client is told. The words of a bug go to the log, once, under the request's id. */
function visible(thrown: unknown, context: RequestContext, log: Logger): ApiError {
  const known = asApiError(thrown);
  if (known) return known;
  const { requestId } = context;
  if (!context.signal.aborted) log.error('a request failed unexpectedly', { requestId, error: thrown });
  const message = `Internal error occurred: look for request ${requestId} in the server's log`;
  return new ApiError({ code: 500, reason: 'InternalError', message });
}

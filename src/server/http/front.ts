import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Clock, systemClock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Metrics } from '../../lib/metrics.ts';
import { ApiError } from '../../resources/api-error.ts';
import { nodes } from '../../resources/kinds.ts';
import { nodesGroup, nodeUserPrefix, serversHeader } from '../../resources/names.ts';
import {
  joinPath,
  livenessPath,
  livenessUpgrade,
  renewPath,
  tunnelPath,
  tunnelUpgrade,
} from '../../tunnel/protocol.ts';
import type { Authenticator } from '../auth/authenticate.ts';
import { impersonatedUser } from '../auth/impersonation.ts';
import { isGridPath } from '../auth/node-authorizer.ts';
import { requireAllowed, requirePath } from '../kube/authorize.ts';
import type {
  AuditSink,
  Authorizer,
  HttpRequest,
  HttpResponse,
  KubeHandler,
  RequestContext,
  User,
} from '../request.ts';
import { type NodeQuestion, nodeQuestions } from '../sessions/agent-request.ts';
import type { AgentEndpoints } from './agent-endpoints.ts';
import { joinUserPrefix } from './agent-endpoints.ts';
import { type GridPath, splitGridPath } from './grid-path.ts';
import { isLong } from './is-long.ts';
import type { Incoming } from './listener.ts';
import { createRequestGate, type RequestSort } from './request-gate.ts';
import { writeStatus, writeStatusToSocket } from './write-status.ts';

export interface FrontOptions {
  readonly authenticate: Authenticator;
  readonly authorizer: Authorizer;
  readonly hasGrid: (grid: string) => boolean;
  readonly kube: KubeHandler;
  readonly agents: AgentEndpoints;
  readonly acceptLiveness: (grid: string, nodeName: string, socket: Duplex) => void;
  /** Of a node's agent, through its tunnel. Rejects with ApiError. */
  readonly askNode: (context: RequestContext, question: NodeQuestion, response: HttpResponse) => Promise<void>;
  readonly acceptTunnel: (grid: string, nodeName: string, socket: Duplex) => void;
  /** All servers as they are reached; empty: there is only this one. */
  readonly servers: (socket: Incoming['socket']) => readonly string[];
  readonly audit: AuditSink;
  readonly metrics: Metrics;
  readonly clock?: Clock;
  readonly log: Logger;
}

/** The first that sees a request: who asks, which grid, whose turn it is. */
export interface Front {
  onRequest(incoming: Incoming, request: HttpRequest, response: HttpResponse): Promise<void>;
  onUpgrade(incoming: Incoming, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>;
}

/** Answered to everybody: load balancers and clients ask before they log in. */
const openPaths = ['/healthz', '/livez', '/readyz', '/version'];
/** Where Kubernetes has those of its agents, too. */
const nodeProxyPath = /^\/api\/v1\/nodes\/([a-z0-9.-]{1,253})\/proxy\/([a-z-]+)$/;
/** Who speaks there shows his own certificate or join token. */
const agentPaths: readonly string[] = [joinPath, renewPath, livenessPath, tunnelPath];
const anonymous: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] };

export function createFront(options: FrontOptions): Front {
  const { kube, agents, audit, metrics, log } = options;
  const gate = createRequestGate({ clock: options.clock ?? systemClock, metrics });
  const refused = metrics.counter('flotilla_requests_refused_total', 'Requests refused before they were looked at.');

  const auditRefusal = (incoming: Incoming, user: string, verb: string, resource: string, code: number) =>
    audit.write({
      requestId: incoming.requestId,
      user,
      sourceAddress: incoming.sourceAddress,
      userAgent: incoming.userAgent,
      verb,
      grid: '',
      resource,
      code,
    });

  /** Who, and where to; throws what to answer instead. */
  const admit = async (incoming: Incoming, request: HttpRequest) => {
    const path = parsePath(request.url);
    if (openPaths.some((open) => path.pathname === open || path.pathname.startsWith(`${open}/`))) {
      return contextOf(incoming, anonymous, splitGridPath(path.pathname, undefined), path);
    }
    const user = await options.authenticate(request.headers.authorization, incoming.socket);
    const isJoin = user.name.startsWith(joinUserPrefix);
    if (isJoin && path.pathname !== joinPath) {
      throw forbidden(
        `User "${user.name}" cannot ${request.method} path "${path.pathname}": a join token only joins nodes`,
      );
    }
    const where = splitGridPath(path.pathname, user.grid);
    if (!options.hasGrid(where.grid)) {
      throw new ApiError({ code: 404, reason: 'NotFound', message: `grids "${where.grid}" not found` });
    }
    const isOutside = user.grid !== undefined && user.grid !== where.grid;
    if (isOutside && !isGridPath(user, where.grid, where.pathname)) {
      throw forbidden(`User "${user.name}" belongs to grid "${user.grid}" and cannot use grid "${where.grid}"`);
    }
    const taken = impersonatedUser(options.authorizer, user, where.grid, request.headers);
    if (!taken) return contextOf(incoming, user, where, path);
    if (agentPaths.includes(path.pathname)) throw forbidden(`"${path.pathname}" is for agents themselves`);
    const { context } = contextOf(incoming, taken, where, path);
    return { context: { ...context, impersonator: user.name }, path };
  };

  const route = async (incoming: Incoming, request: HttpRequest, response: HttpResponse) => {
    const { context, path } = await admit(incoming, request);
    if (context.user === anonymous) return await kube.handle(context, request, response, path);
    tellServers(options.servers(incoming.socket), request, response);
    const leave = await gate.enter(context, sortOf(request));
    try {
      if (!incoming.signal.aborted) await answer(incoming, { context, path }, request, response);
    } finally {
      leave();
    }
  };

  const answer = async (
    incoming: Incoming,
    { context, path }: Awaited<ReturnType<typeof admit>>,
    request: HttpRequest,
    response: HttpResponse,
  ) => {
    const { pathname } = path;
    if (pathname === '/metrics') {
      requirePath(options.authorizer, context, pathname);
      return writeMetrics(metrics, response);
    }
    const [, nodeName, about] = nodeProxyPath.exec(pathname) ?? [];
    const asked = nodeQuestions.find((one) => one.about === about);
    if (nodeName !== undefined && asked) {
      const proxy = { verb: 'get', grid: context.grid, kind: nodes, name: nodeName, subresource: 'proxy' } as const;
      requireAllowed(options.authorizer, context, proxy);
      const known: readonly string[] = asked.parameters;
      const query = new URLSearchParams([...path.searchParams].filter(([name]) => known.includes(name)));
      return await options.askNode(context, { nodeName, about: asked.about, query }, response);
    }
    if (pathname !== joinPath && pathname !== renewPath) return await kube.handle(context, request, response, path);
    if (request.method !== 'POST') {
      throw new ApiError({ code: 405, reason: 'MethodNotAllowed', message: `${pathname} takes POST` });
    }
    const joined =
      pathname === joinPath ? await agents.join(context.user, request) : await agents.renew(context.user, request);
    auditRefusal(incoming, context.user.name, 'create', pathname === joinPath ? 'join' : 'renew', 200);
    writeJson(response, joined);
  };

  return {
    onRequest: async (incoming, request, response) => {
      try {
        await route(incoming, request, response);
      } catch (error) {
        const code = writeStatus(response, error);
        refused.add({ reason: String(code) });
        if (code >= 500)
          log.error('a request failed', { requestId: incoming.requestId, url: shown(request.url), error });
        // A flood that is turned away must not become one of the disk.
        else if (code !== 429) auditRefusal(incoming, '', request.method ?? '', shown(request.url), code);
      }
    },
    onUpgrade: async (incoming, request, socket, head) => {
      try {
        const { context, path } = await admit(incoming, request);
        const isSession = path.pathname === livenessPath || path.pathname === tunnelPath;
        if (!isSession) return await kube.upgrade(context, request, socket, head, path);
        const { nodeName, accept, protocol } = sessionOf(options, context.user, path.pathname, request);
        if (head.byteLength > 0) socket.unshift(head);
        incoming.socket.setNoDelay(true);
        const answer = [`Upgrade: ${protocol}`, 'Connection: Upgrade', `X-Request-Id: ${incoming.requestId}`];
        // HTTP/2 takes the socket's handle over, and crashes the process when a write is still under way.
        socket.write(`HTTP/1.1 101 Switching Protocols\r\n${answer.join('\r\n')}\r\n\r\n`, (error) => {
          if (error) socket.destroy();
          else accept(context.grid, nodeName, socket);
        });
      } catch (error) {
        const code = writeStatusToSocket(socket, error, incoming.requestId);
        refused.add({ reason: String(code) });
        if (code >= 500)
          log.error('an upgrade failed', { requestId: incoming.requestId, url: shown(request.url), error });
        else auditRefusal(incoming, '', 'connect', shown(request.url), code);
      }
    },
  };
}

/** A client that keeps a list of the servers learns of those that it lacks. */
function tellServers(servers: readonly string[], request: HttpRequest, response: HttpResponse): void {
  const header = request.headers[serversHeader];
  if (typeof header !== 'string') return;
  const known = new Set(header.split(' '));
  if (servers.some((url) => !known.has(url))) response.setHeader(serversHeader, servers.join(' '));
}

function sessionOf(options: FrontOptions, user: User, pathname: string, request: IncomingMessage) {
  if (!user.groups.includes(nodesGroup)) throw forbidden(`User "${user.name}" is no node`);
  const isLiveness = pathname === livenessPath;
  const protocol = isLiveness ? livenessUpgrade : tunnelUpgrade;
  if (`${request.headers.upgrade}`.toLowerCase() !== protocol) {
    throw new ApiError({ code: 400, reason: 'BadRequest', message: `${pathname} takes an upgrade to ${protocol}` });
  }
  const accept = isLiveness ? options.acceptLiveness : options.acceptTunnel;
  return { nodeName: user.name.slice(nodeUserPrefix.length), accept, protocol };
}

function contextOf(incoming: Incoming, user: User, { grid, pathname }: GridPath, path: URL) {
  const { requestId, sourceAddress, userAgent, signal } = incoming;
  const context: RequestContext = { requestId, user, grid, sourceAddress, userAgent, signal };
  path.pathname = pathname;
  return { context, path };
}

function parsePath(url: string | undefined): URL {
  const text = url ?? '/';
  // A target like `//host/x` would be read as another host.
  const parsed = text.startsWith('/') && !text.startsWith('//') ? URL.parse(text, 'https://server') : null;
  if (!parsed) throw new ApiError({ code: 400, reason: 'BadRequest', message: 'the request target is no path' });
  return parsed;
}

/** The path, never the query: it may repeat a user's words. */
function shown(url: string | undefined): string {
  return (url ?? '').split('?')[0]?.slice(0, 512) ?? '';
}

function sortOf({ url, method }: HttpRequest): RequestSort {
  if (isLong(url)) return 'long';
  return method === 'GET' || method === 'HEAD' ? 'read' : 'change';
}

function writeMetrics(metrics: Metrics, response: HttpResponse): void {
  response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8');
  response.end(metrics.render());
}

function writeJson(response: HttpResponse, value: object): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(value));
}

function forbidden(message: string): ApiError {
  return new ApiError({ code: 403, reason: 'Forbidden', message: `forbidden: ${message}` });
}

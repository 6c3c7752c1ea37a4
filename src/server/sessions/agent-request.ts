import { type ClientHttp2Session, type ClientHttp2Stream, constants } from 'node:http2';
import { ApiError } from '../../resources/api-error.ts';
import type { Pod } from '../../resources/kinds.ts';
import { defaultContainer } from '../../resources/pod-containers.ts';
import type { RequestContext } from '../request.ts';
import type { NodeTunnels } from './node-sessions.ts';

/** How long an agent may take until it answers with headers: its engine may be slow, not silent. */
const answerTimeoutMs = 20_000;
const maxErrorBytes = 65_536;

/** Who asks, as far as an agent is told. */
export type Asker = Pick<RequestContext, 'grid' | 'requestId' | 'signal'>;

export interface AgentRequest {
  readonly method: 'GET' | 'POST';
  readonly verb: 'logs' | 'exec' | 'attach' | 'forward' | 'lifetime';
  readonly query: URLSearchParams;
}

/** The container that a request names, or the one Kubernetes' clients would take. Throws ApiError 400. */
export function containerOf(pod: Pod, named: string | null): string {
  const { containers, initContainers = [] } = pod.spec;
  const wanted = named || defaultContainer(pod);
  if ([...containers, ...initContainers].some((container) => container.name === wanted)) return wanted;
  throw badRequest(`container ${wanted} is not valid for pod ${pod.metadata.name}`);
}

/**
 * Sends a request to the agent of a pod's node; resolves with the stream once the agent has answered 200. Throws ApiError:
 * 400 not placed yet, 503 no tunnel to that node, or what the agent said.
 */
export async function askAgent(
  tunnels: NodeTunnels,
  context: Asker,
  pod: Pod,
  { method, verb, query }: AgentRequest,
): Promise<ClientHttp2Stream> {
  const { name, namespace = '' } = pod.metadata;
  const { nodeName } = pod.spec;
  const container = containerOf(pod, query.get('container'));
  if (!nodeName) throw badRequest(`pod ${name} does not have a host assigned`);
  const session = await tunnels.find(context.grid, nodeName, context.signal);
  if (!session) throw unavailable(`node "${nodeName}" of pod ${namespace}/${name} is not connected to this server`);
  const path = `/${verb}/${[namespace, name, container].map(encodeURIComponent).join('/')}?${query}`;
  return await send(session, context, nodeName, { method, path });
}

/**
 * `metrics`: what it counts and measures, as text. `network`: a NetworkReport, with what pods do tried out on request.
 * `ingress`: an IngressReport. `access-log`: what its proxy has let in, line by line.
 */
export interface NodeQuestion {
  readonly nodeName: string;
  readonly about: (typeof nodeQuestions)[number]['about'];
  readonly query?: URLSearchParams;
}

/** What may be asked, and with which parameters. */
export const nodeQuestions = [
  { about: 'metrics', parameters: [] },
  { about: 'network', parameters: ['check'] },
  { about: 'ingress', parameters: [] },
  { about: 'access-log', parameters: ['follow', 'tailLines'] },
] as const;

/** Asks the agent of a node about the node itself. Throws ApiError 503: no tunnel to that node. */
export async function askNode(
  tunnels: NodeTunnels,
  context: RequestContext,
  { nodeName, about, query = new URLSearchParams() }: NodeQuestion,
): Promise<ClientHttp2Stream> {
  const session = await tunnels.find(context.grid, nodeName, context.signal);
  if (!session) throw unavailable(`node "${nodeName}" is not connected to this server`);
  return await send(session, context, nodeName, { method: 'GET', path: `/${about}?${query}` });
}

async function send(
  session: ClientHttp2Session,
  context: Asker,
  nodeName: string,
  { method, path }: { readonly method: 'GET' | 'POST'; readonly path: string },
): Promise<ClientHttp2Stream> {
  const stream = session.request(
    { ':method': method, ':path': path, 'x-request-id': context.requestId },
    { endStream: method === 'GET', signal: context.signal },
  );
  const code = await statusCode(stream, nodeName);
  if (code === 200) return stream;
  throw await refusalOf(stream, code);
}

function statusCode(stream: ClientHttp2Stream, nodeName: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stream.close(constants.NGHTTP2_CANCEL);
      reject(unavailable(`the agent of node "${nodeName}" has not answered within ${answerTimeoutMs / 1_000} s`));
    }, answerTimeoutMs);
    const lost = () => {
      clearTimeout(timer);
      reject(unavailable(`the connection to node "${nodeName}" was lost`));
    };
    stream.once('error', lost);
    stream.once('close', lost);
    stream.once('response', (headers) => {
      clearTimeout(timer);
      stream.off('close', lost);
      resolve(headers[':status'] ?? 500);
    });
  });
}

async function refusalOf(stream: ClientHttp2Stream, code: number): Promise<ApiError> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > maxErrorBytes) break;
    chunks.push(chunk);
  }
  try {
    const { reason, message } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as {
      reason?: string;
      message?: string;
    };
    return new ApiError({ code, reason: reason ?? 'InternalError', message: message ?? `the agent answered ${code}` });
  } catch {
    return new ApiError({
      code: 502,
      reason: 'InternalError',
      message: `the agent answered ${code} without saying why`,
    });
  }
}

export function badRequest(message: string): ApiError {
  return new ApiError({ code: 400, reason: 'BadRequest', message });
}

/** Without a time to retry: kubectl would do so ten times before it tells anybody. */
function unavailable(message: string): ApiError {
  return new ApiError({ code: 503, reason: 'ServiceUnavailable', message });
}

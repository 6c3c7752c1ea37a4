import { ServerResponse } from 'node:http';
import { type ClientHttp2Stream, constants } from 'node:http2';
import type { WebSocket } from 'ws';
import { type Clock, systemClock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Metrics } from '../../lib/metrics.ts';
import type { Pod } from '../../resources/kinds.ts';
import { writeStatus, writeStatusToSocket } from '../http/write-status.ts';
import type { HttpResponse, PodStreams, PodUpgrade, RequestContext } from '../request.ts';
import { askAgent, askNode, badRequest, type NodeQuestion } from './agent-request.ts';
import { askedStreams } from './asked-streams.ts';
import { relayCommand } from './command-relay.ts';
import type { NodeTunnels } from './node-sessions.ts';
import { servePortForward } from './port-forward.ts';
import { openSpdyCommand, spdyCommand, spdyCommandProtocols } from './spdy-command.ts';
import { acceptSpdy } from './spdy-upgrade.ts';
import { websocketCommand } from './websocket-command.ts';
import { channelProtocols, chooseProtocol, isUpgradeTo, WebSockets } from './websocket-upgrade.ts';

const logFlags = [
  'follow',
  'previous',
  'timestamps',
  'tailLines',
  'sinceSeconds',
  'sinceTime',
  'limitBytes',
  'container',
];
const commandFlags = ['command', 'stdin', 'stdout', 'stderr', 'tty', 'container'];

export interface PodStreamsOptions {
  readonly tunnels: NodeTunnels;
  readonly metrics?: Metrics;
  readonly clock?: Clock;
  readonly log: Logger;
}

/** Logs, exec, attach and port-forward through the tunnel of the pod's node. */
export function createPodStreams(options: PodStreamsOptions): PodStreams {
  const { tunnels, metrics, clock = systemClock, log } = options;
  const webSockets = new WebSockets(clock);
  let open = 0;
  metrics?.gauge('flotilla_pod_streams', 'Streams to agents: logs, commands, forwarded connections.', () => open);
  const ask: typeof askAgent = async (...args) => {
    const stream = await askAgent(...args);
    open += 1;
    stream.once('close', () => {
      open -= 1;
    });
    return stream;
  };

  const command = async (context: RequestContext, pod: Pod, upgrade: PodUpgrade, verb: 'exec' | 'attach') => {
    const { request, socket, path } = upgrade;
    const query = only(path.searchParams, commandFlags);
    const asked = askedStreams(query);
    if (verb === 'exec' && !query.has('command')) {
      throw badRequest('you must specify at least 1 command for the container');
    }
    refuseEnded(pod, verb);
    const isSpdy = isUpgradeTo(request, 'SPDY/3.1');
    const protocol = chooseProtocol(request, isSpdy ? spdyCommandProtocols : channelProtocols);
    const stream = await ask(tunnels, context, pod, { method: 'POST', verb, query });
    const giveUp = () => stream.close(constants.NGHTTP2_CANCEL);
    const relay = { signal: context.signal, log: log.with({ requestId: context.requestId }) };
    if (!isSpdy) {
      const onOpen = (client: WebSocket) => relayCommand(stream, relay, (events) => websocketCommand(client, events));
      return webSockets.accept(upgrade, onOpen, giveUp);
    }
    acceptSpdy(upgrade, protocol, context.requestId);
    const opened = await openSpdyCommand({ transport: socket, protocol, asked, clock });
    if (!opened) return giveUp();
    relayCommand(stream, relay, (events) => spdyCommand(opened, events));
  };

  const forward = (context: RequestContext, pod: Pod, upgrade: PodUpgrade) =>
    servePortForward({
      pod,
      query: upgrade.path.searchParams,
      upgrade,
      requestId: context.requestId,
      openLifetime: () => ask(tunnels, context, pod, { method: 'GET', verb: 'lifetime', query: new URLSearchParams() }),
      connect: (port) => {
        const query = new URLSearchParams({ port: String(port) });
        return ask(tunnels, context, pod, { method: 'POST', verb: 'forward', query });
      },
      webSockets,
      clock,
    });

  return {
    logs: async (context, pod, path, response) => {
      try {
        const query = only(path.searchParams, logFlags);
        await pass(context, await ask(tunnels, context, pod, { method: 'GET', verb: 'logs', query }), response);
      } catch (error) {
        writeStatus(response, error);
      }
    },
    upgrade: async (context, pod, upgrade) => {
      const { request, socket, subresource } = upgrade;
      try {
        if (!isUpgradeTo(request, 'websocket') && !isUpgradeTo(request, 'SPDY/3.1')) {
          throw badRequest(`unable to upgrade: "${request.headers.upgrade}" is neither websocket nor SPDY/3.1`);
        }
        if (subresource === 'portforward') await forward(context, pod, upgrade);
        else await command(context, pod, upgrade, subresource);
      } catch (error) {
        writeStatusToSocket(socket, error, context.requestId);
      }
    },
  };
}

/** In Kubernetes' words. Throws ApiError. */
function refuseEnded(pod: Pod, verb: 'exec' | 'attach'): void {
  const phase = pod.status?.phase;
  if (phase !== 'Succeeded' && phase !== 'Failed') return;
  const what = verb === 'exec' ? 'exec into' : 'attach';
  throw badRequest(`cannot ${what} a container in a completed pod; current phase is ${phase}`);
}

/** Answers with what a node's agent says about the node. Throws ApiError. */
export async function sendNodeAnswer(
  tunnels: NodeTunnels,
  context: RequestContext,
  question: NodeQuestion,
  response: HttpResponse,
): Promise<void> {
  await pass(context, await askNode(tunnels, context, question), response);
}

/** Each chunk at once; either side's end ends the other. */
function pass(context: RequestContext, stream: ClientHttp2Stream, response: HttpResponse): Promise<void> {
  return new Promise((resolve) => {
    response.setHeader('content-type', 'text/plain; charset=utf-8');
    response.statusCode = 200;
    // The headers go out before there is a line to send.
    if (response instanceof ServerResponse) response.flushHeaders();
    else response.writeHead(200);
    response.on('close', () => {
      stream.close(constants.NGHTTP2_CANCEL);
      resolve();
    });
    // Cut off, not ended: a client must not take half a log for a whole one, unless this server says good-bye.
    stream.on('error', () => (context.signal.aborted ? response.end() : response.destroy?.()));
    stream.pipe(response as NodeJS.WritableStream);
  });
}

function only(query: URLSearchParams, names: readonly string[]): URLSearchParams {
  return new URLSearchParams([...query].filter(([name]) => names.includes(name)));
}

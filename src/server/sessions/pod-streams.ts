import { ServerResponse } from 'node:http';
import { type ClientHttp2Stream, constants } from 'node:http2';
import type { Logger } from '../../lib/log.ts';
import { writeStatus, writeStatusToSocket } from '../http/write-status.ts';
import type { HttpResponse, PodStreams, RequestContext } from '../request.ts';
import { askAgent, askMetrics, badRequest } from './agent-request.ts';
import { createExecSockets } from './exec-sockets.ts';
import type { NodeTunnels } from './node-sessions.ts';

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
const execFlags = ['command', 'stdin', 'stdout', 'stderr', 'tty', 'container'];

/** Logs and exec through the tunnel of the pod's node. */
export function createPodStreams(tunnels: NodeTunnels, log: Logger): PodStreams {
  const sockets = createExecSockets();
  return {
    logs: async (context, pod, path, response) => {
      try {
        const query = only(path.searchParams, logFlags);
        const stream = await askAgent(tunnels, context, pod, { method: 'GET', verb: 'logs', query });
        await pass(context, stream, response);
      } catch (error) {
        writeStatus(response, error);
      }
    },
    exec: async (context, pod, path, request, socket, head) => {
      const { requestId } = context;
      try {
        const query = only(path.searchParams, execFlags);
        if (!query.has('command')) throw badRequest('you must specify at least 1 command for the container');
        const stream = await askAgent(tunnels, context, pod, { method: 'POST', verb: 'exec', query });
        if (`${request.headers.upgrade}`.toLowerCase() !== 'websocket') {
          stream.close(constants.NGHTTP2_CANCEL);
          throw badRequest(
            'exec is served over WebSocket only: use kubectl 1.30 or newer without KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false',
          );
        }
        sockets.join({ stream, request, socket, head, log: log.with({ requestId }) });
      } catch (error) {
        writeStatusToSocket(socket, error, requestId);
      }
    },
  };
}

/** Answers with the metrics of a node's agent. Throws ApiError. */
export async function sendNodeMetrics(
  tunnels: NodeTunnels,
  context: RequestContext,
  nodeName: string,
  response: HttpResponse,
): Promise<void> {
  await pass(context, await askMetrics(tunnels, context, nodeName), response);
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

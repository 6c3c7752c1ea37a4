import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { KubeHandler, RequestContext } from '../../src/server/request.ts';

export interface ServedKube {
  readonly url: string;
  stop(): void;
}

/** Kubernetes' API over plain HTTP on a free port of the loopback, everybody being the administrator. */
export async function serveKube(
  kube: KubeHandler,
  onRequest: (request: IncomingMessage) => void = () => {},
): Promise<ServedKube> {
  const server = createServer((request, response) => {
    onRequest(request);
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const context = { ...adminContext(gone.signal), userAgent: request.headers['user-agent'] ?? '' };
    void kube.handle(context, request, response, new URL(request.url ?? '/', 'http://server'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function adminContext(signal: AbortSignal): RequestContext {
  return {
    requestId: 'r1',
    user: { name: 'flotilla:admin', groups: ['system:masters'] },
    grid: 'main',
    sourceAddress: '127.0.0.1',
    userAgent: 'test',
    signal,
  };
}

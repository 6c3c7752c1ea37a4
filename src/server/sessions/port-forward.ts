import { type ClientHttp2Stream, constants } from 'node:http2';
import type { Duplex } from 'node:stream';
import { createWebSocketStream } from 'ws';
import type { Clock } from '../../lib/clock.ts';
import type { Pod } from '../../resources/kinds.ts';
import type { ConnectPort } from './port-streams.ts';
import { serveSpdyForward, spdyForwardProtocols } from './spdy-forward.ts';
import { acceptSpdy } from './spdy-upgrade.ts';
import { parsePorts, serveWebSocketForward } from './websocket-forward.ts';
import {
  channelProtocols,
  chooseProtocol,
  isUpgradeTo,
  tunneledSpdy,
  type Upgrade,
  type WebSockets,
} from './websocket-upgrade.ts';

export interface PortForwardOptions {
  readonly pod: Pod;
  readonly query: URLSearchParams;
  readonly upgrade: Upgrade;
  readonly requestId: string;
  /** Open as long as the pod runs and its node can be reached; nothing comes on it. */
  readonly openLifetime: () => Promise<ClientHttp2Stream>;
  readonly connect: ConnectPort;
  readonly webSockets: WebSockets;
  readonly clock: Clock;
}

/** Every connection of the client has a stream of its own to the agent; all end with the pod. Throws ApiError before the upgrade. */
export async function servePortForward(options: PortForwardOptions): Promise<void> {
  const { query, upgrade, requestId, connect, webSockets, pod } = options;
  const { request, socket } = upgrade;
  if (isUpgradeTo(request, 'SPDY/3.1')) {
    const protocol = chooseProtocol(request, spdyForwardProtocols);
    const lifetime = await options.openLifetime();
    acceptSpdy(upgrade, protocol, requestId);
    return bindSpdy(socket, lifetime, options);
  }
  const isTunnel = chooseProtocol(request, [tunneledSpdy, ...channelProtocols]) === tunneledSpdy;
  const ports = isTunnel ? [] : parsePorts(query);
  const lifetime = await options.openLifetime();
  const giveUp = () => lifetime.close(constants.NGHTTP2_CANCEL);
  webSockets.accept(
    upgrade,
    (client) => {
      if (isTunnel) return bindSpdy(createWebSocketStream(client), lifetime, options);
      client.once('close', giveUp);
      onEnd(lifetime, () => client.close(1000));
      void serveWebSocketForward({ client, ports, connect, describePod: describe(pod) });
    },
    giveUp,
  );
}

function bindSpdy(transport: Duplex, lifetime: ClientHttp2Stream, { pod, connect, clock }: PortForwardOptions): void {
  const onClose = () => lifetime.close(constants.NGHTTP2_CANCEL);
  const session = serveSpdyForward({ transport, connect, describePod: describe(pod), onClose, clock });
  onEnd(lifetime, () => session.end());
}

function describe({ metadata }: Pod): string {
  return `pod ${metadata.name}, uid ${metadata.uid ?? ''}`;
}

function onEnd(lifetime: ClientHttp2Stream, end: () => void): void {
  lifetime.on('error', () => {}); // its close follows
  lifetime.once('close', end);
  lifetime.resume();
}

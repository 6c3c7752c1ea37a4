import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Clock } from '../../lib/clock.ts';
import type { ApiError } from '../../resources/api-error.ts';
import { badRequest } from './agent-request.ts';

export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** Of one message: clients send what they are given in one piece; Kubernetes takes as much. */
const maxMessageBytes = 33_554_432;
const pingEveryMs = 10_000;
/** So many pings without a sign of life: the client is gone. */
const maxSilentPings = 6;

/** Newest first. `base64.`: text messages, the channel as a digit; without `v4`/`v5`: errors as plain text. */
export const channelProtocols = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v5.base64.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
];

/** kubectl 1.31 and newer: all of SPDY in binary messages. */
export const tunneledSpdy = 'SPDY/3.1+portforward.k8s.io';

export function isUpgradeTo(request: IncomingMessage, name: string): boolean {
  return (request.headers.upgrade ?? '').toLowerCase() === name.toLowerCase();
}

/** The protocols that a client offers: of SPDY in a header of Kubernetes' own, which may come more than once. */
export function offeredProtocols(request: IncomingMessage): readonly string[] {
  const { headers } = request;
  const name = isUpgradeTo(request, 'websocket') ? 'sec-websocket-protocol' : 'x-stream-protocol-version';
  return `${headers[name] ?? ''}`.split(',').flatMap((one) => one.trim() || []);
}

/** `''` when nothing was offered. Throws ApiError when nothing that was offered is known. */
export function chooseProtocol(request: IncomingMessage, known: readonly string[]): string {
  const offered = offeredProtocols(request);
  if (offered.length === 0) return '';
  const chosen = known.find((one) => offered.includes(one));
  if (chosen === undefined) throw cannotNegotiate(offered, known);
  return chosen;
}

function cannotNegotiate(offered: readonly string[], known: readonly string[]): ApiError {
  const list = (names: readonly string[]) => `[${names.join(' ')}]`;
  return badRequest(
    `unable to upgrade: unable to negotiate protocol: client supports ${list(offered)}, server accepts ${list(known)}`,
  );
}

/** Takes connections over as WebSockets. */
export class WebSockets {
  readonly #clock: Clock;
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
    handleProtocols: (offered) => channelProtocols.find((one) => offered.has(one)) ?? false,
  });
  /** `ws` refuses a name with a slash in it: that one is hidden from it and answered by hand. */
  readonly #tunnels = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
  }).on('headers', (headers) => {
    headers.push(`Sec-WebSocket-Protocol: ${tunneledSpdy}`);
  });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls one of the two: `onGone` when the client left before the handshake was done, or made it wrong. */
  accept({ request, socket, head }: Upgrade, onOpen: (client: WebSocket) => void, onGone: () => void): void {
    const isTunnel = offeredProtocols(request).includes(tunneledSpdy);
    if (isTunnel) delete request.headers['sec-websocket-protocol'];
    const server = isTunnel ? this.#tunnels : this.#server;
    socket.once('close', onGone);
    server.handleUpgrade(request, socket, head, (client) => {
      socket.off('close', onGone);
      this.#keepAlive(client);
      onOpen(client);
    });
  }

  /**
   * Pings both ways. A client that is paused cannot be heard, and its own pings wait behind its data: it is sent pongs that it did
   * not ask for (RFC 6455 §5.5.3), because kubectl leaves after a minute without any.
   */
  #keepAlive(client: WebSocket): void {
    let silent = 0;
    let cancel = () => {};
    const schedule = () => {
      cancel = this.#clock.after(pingEveryMs, () => {
        if (client.readyState !== client.OPEN) return;
        if (client.isPaused) client.pong();
        else if (++silent > maxSilentPings) return client.terminate();
        client.ping();
        schedule();
      });
    };
    const heard = () => {
      silent = 0;
    };
    client.on('pong', heard);
    client.on('ping', heard);
    client.on('message', heard);
    client.once('close', () => cancel());
    schedule();
  }
}

import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { badRequest } from './agent-request.ts';
import { type ConnectPort, forwardConnection, parsePort } from './port-streams.ts';
import { encodeMessage, readMessage } from './websocket-command.ts';

const closeMark = 255;
/** Of one port, before the client has to wait. */
const maxUnreadBytes = 1_048_576;
const maxPorts = 64;

export interface WebSocketForwardOptions {
  readonly client: WebSocket;
  readonly ports: readonly number[];
  readonly connect: ConnectPort;
  readonly describePod: string;
}

/** `?ports=80&ports=81`, or with commas. Throws ApiError. */
export function parsePorts(query: URLSearchParams): readonly number[] {
  const texts = query.getAll('ports').flatMap((text) => text.split(','));
  if (texts.length === 0) throw badRequest('query parameter "ports" is required');
  if (texts.length > maxPorts) throw badRequest(`more than ${maxPorts} ports`);
  return texts.map((text) => {
    const port = parsePort(text);
    if (port === undefined) throw badRequest(`invalid port "${text}"`);
    return port;
  });
}

/**
 * Port-forward over channels: one connection to each port, made at once, on channels 2n (bytes) and 2n + 1 (what went wrong). The first
 * message of each says the port, little-endian.
 */
export async function serveWebSocketForward(options: WebSocketForwardOptions): Promise<void> {
  const { client, ports, connect, describePod } = options;
  const connections = ports.map((_port, index) => new PortChannel(client, 2 * index));
  client.on('message', (raw, isBinary) => {
    const message = readMessage(client, raw, isBinary);
    if (!message) return;
    if (message.channel === closeMark) connections[(message.payload[0] ?? 1) / 2]?.push(null);
    else connections[message.channel / 2]?.receive(message.payload);
  });
  client.on('error', () => {}); // its close follows
  client.on('close', () => {
    for (const one of connections) one.destroy();
  });
  for (const [index, port] of ports.entries()) {
    const said = Buffer.alloc(2);
    said.writeUInt16LE(port);
    client.send(encodeMessage(client, 2 * index, said));
    client.send(encodeMessage(client, 2 * index + 1, said));
  }
  await Promise.all(
    connections.map((data, index) =>
      forwardConnection(connect, ports[index] ?? 0, { data, end: data.sayEnd }, describePod),
    ),
  );
  client.close(1000);
}

/** The bytes of one port. */
class PortChannel extends Duplex {
  readonly #client: WebSocket;
  readonly #channel: number;
  #hasSaid = false;

  constructor(client: WebSocket, channel: number) {
    super({ readableHighWaterMark: maxUnreadBytes });
    this.#client = client;
    this.#channel = channel;
    this.on('error', () => {});
  }

  receive(payload: Buffer): void {
    if (this.destroyed || this.readableEnded) return;
    if (!this.push(payload)) this.#client.pause();
  }

  readonly sayEnd = (words?: string): void => {
    if (words !== undefined && !this.#hasSaid && this.#client.readyState === this.#client.OPEN) {
      this.#hasSaid = true;
      this.#client.send(encodeMessage(this.#client, this.#channel + 1, Buffer.from(words)));
    }
  };

  override _read(): void {
    this.#client.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#client.readyState !== this.#client.OPEN) done(new Error('the client is gone'));
    else this.#client.send(encodeMessage(this.#client, this.#channel, chunk), (error) => done(error));
  }

  /** Before v5 one direction cannot end alone: nobody takes what the client might still say. */
  override _final(done: (error?: Error | null) => void): void {
    const canEnd = this.#client.protocol === 'v5.channel.k8s.io' && this.#client.readyState === this.#client.OPEN;
    if (canEnd) this.#client.send(Buffer.of(closeMark, this.#channel));
    done();
    if (!canEnd) this.destroy();
  }
}

import { createSocket, type Socket } from 'node:dgram';
import { createServer, isIPv6, type Server, type Socket as TcpSocket } from 'node:net';
import type { Logger } from '../../lib/log.ts';
import type { DnsAddress } from './port.ts';
import { type Respond, TcpConnection } from './tcp-connection.ts';

/** The two sockets of one address. */
export interface ListenerSockets {
  readonly udp: Socket;
  readonly tcp: Server;
}

/** Where an answer goes that is ready only after the sockets were handed over. */
export type SendLate = (packet: Buffer, port: number, address: string) => void;

const maxTcpConnections = 256;
/** A burst waits in the kernel while we are busy; it takes as much of this as `net.core.rmem_max` allows. */
const receiveBytes = 4 * 1024 * 1024;

/** One address, UDP and TCP. */
export class Listener implements DnsAddress {
  readonly address: string;
  readonly port: number;
  readonly sockets: ListenerSockets;
  readonly #respond: Respond;
  readonly #connections = new Set<TcpConnection>();
  #isOpen = true;
  #inFlight = 0;
  #onQuiet: (() => void) | undefined;
  #onAlone: (() => void) | undefined;
  #sendLate: SendLate | undefined;

  /** Sockets that are bound, of this process or of another one. */
  constructor(where: DnsAddress, sockets: ListenerSockets, respond: Respond, log: Logger) {
    this.address = where.address;
    this.port = where.port;
    this.sockets = sockets;
    this.#respond = respond;
    const { udp, tcp } = sockets;
    udp.on('message', (packet, from) => {
      const response = respond(packet, true);
      if (response instanceof Promise) void this.#sendLater(response, from);
      else if (response) this.send(response, from.port, from.address);
    });
    udp.on('error', (error) => log.warn('dns socket failed', { error }));
    tcp.on('error', (error) => log.warn('dns socket failed', { error }));
    tcp.on('connection', (socket) => this.adopt(socket));
    try {
      udp.setRecvBufferSize(receiveBytes);
    } catch (error) {
      log.debug('the receive buffer stays as it is', { error });
    }
  }

  /** An answer to somebody who asked over UDP. */
  send(packet: Buffer, port: number, address: string): void {
    if (this.#isOpen)
      this.sockets.udp.send(packet, port, address, () => {}); // the asker may be gone
    else this.#sendLate?.(packet, port, address);
  }

  /** All that was asked over UDP is answered, or so much time has passed. */
  async quiet(timeoutMs: number): Promise<void> {
    if (this.#inFlight === 0) return;
    await new Promise<void>((resolve) => {
      this.#onQuiet = resolve;
      setTimeout(resolve, timeoutMs).unref();
    });
  }

  async #sendLater(
    response: Promise<Buffer | undefined>,
    from: { readonly port: number; readonly address: string },
  ): Promise<void> {
    this.#inFlight++;
    const packet = await response;
    if (packet) this.send(packet, from.port, from.address);
    this.#inFlight--;
    if (this.#inFlight === 0) this.#onQuiet?.();
  }

  /** A connection that is open already. The oldest one makes room: a crowd of idle ones must not keep others out. */
  adopt(socket: TcpSocket): void {
    const [oldest] = this.#connections;
    if (oldest && this.#connections.size >= maxTcpConnections) {
      this.#connections.delete(oldest);
      oldest.destroy();
    }
    const connection: TcpConnection = new TcpConnection(socket, this.#respond, () => {
      this.#connections.delete(connection);
      if (this.#connections.size === 0) this.#onAlone?.();
    });
    this.#connections.add(connection);
  }

  /**
   * Another process reads these sockets now: nothing more is taken from them here. Connections that are open stay here, since
   * bytes that arrive while one is moved would be lost, and are answered by `respond`. Resolves when the last one has ended,
   * or so much time has passed.
   */
  async handOver(sendLate: SendLate, respond: Respond, timeoutMs: number): Promise<void> {
    this.#isOpen = false;
    this.#sendLate = sendLate;
    this.sockets.udp.close();
    this.sockets.tcp.close();
    for (const connection of this.#connections) connection.answerBy(respond);
    if (this.#connections.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onAlone = resolve;
      setTimeout(resolve, timeoutMs).unref();
    });
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    for (const connection of this.#connections) connection.destroy();
    await Promise.all([
      new Promise<void>((done) => this.sockets.tcp.close(() => done())),
      new Promise<void>((done) => this.sockets.udp.close(() => done())),
    ]);
  }
}

/** Port 0: the same free one for both. Rejects when one of them cannot be bound. */
export async function openListener(where: DnsAddress, respond: Respond, log: Logger): Promise<Listener> {
  const tcp = createServer({ allowHalfOpen: true }); // who has said all may still wait for answers
  await bound(tcp, () => tcp.listen(where.port, where.address));
  const address = tcp.address();
  const port = typeof address === 'object' && address ? address.port : where.port;
  const udp = createSocket({ type: isIPv6(where.address) ? 'udp6' : 'udp4', reuseAddr: false });
  try {
    await bound(udp, () => udp.bind(port, where.address));
  } catch (error) {
    tcp.close();
    udp.close();
    throw error;
  }
  return new Listener({ address: where.address, port }, { udp, tcp }, respond, log);
}

function bound(socket: Socket | Server, bind: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('listening', () => {
      socket.off('error', reject);
      resolve();
    });
    bind();
  });
}

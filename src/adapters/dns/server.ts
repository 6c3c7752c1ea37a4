import { createSocket, type Socket } from 'node:dgram';
import { createServer, isIPv6, type Server, type Socket as TcpSocket } from 'node:net';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { FlotillaError, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { lookUp, parseQuestion, renderAnswer, renderFailure, renderNegative } from './answer.ts';
import { Forwarder, withLength } from './forwarder.ts';
import type { DnsServer, DnsZone } from './port.ts';

export interface DnsServerOptions {
  /** Where to listen, UDP and TCP. Port 0 takes a free one (the same for both). */
  readonly addresses: readonly { readonly address: string; readonly port: number }[];
  /** Before the first `apply` every name of this domain is answered SERVFAIL: unknown is not absent. */
  readonly domain: string;
  /** Default: the host's /etc/resolv.conf. */
  readonly upstreams?: readonly string[];
  readonly resolvConfPath?: string;
  readonly upstreamTimeoutMs?: number;
  readonly log: Logger;
  readonly clock?: Clock;
}

export interface RunningDnsServer extends DnsServer {
  /** Where it listens, with the ports that were taken. */
  readonly listening: readonly { readonly address: string; readonly port: number }[];
}

const maxTcpConnections = 256;
const tcpIdleMs = 10_000;

/** Rejects with HostToolFailed when an address cannot be bound (the bridge may not be there yet: try again). */
export async function startDnsServer(options: DnsServerOptions): Promise<RunningDnsServer> {
  const counters = { queries: 0, forwarded: 0, failures: 0 };
  const forwarder = new Forwarder({
    ...(options.upstreams ? { upstreams: options.upstreams } : {}),
    ...(options.resolvConfPath ? { resolvConfPath: options.resolvConfPath } : {}),
    ...(options.upstreamTimeoutMs ? { timeoutMs: options.upstreamTimeoutMs } : {}),
    ownAddresses: options.addresses.map((one) => one.address),
    clock: options.clock ?? systemClock,
  });
  let zone: DnsZone | undefined;

  const answer = async (packet: Buffer, isUdp: boolean): Promise<Buffer | undefined> => {
    const question = parseQuestion(packet);
    if (!question) return undefined;
    const turn = counters.queries++;
    const known = zone ?? { domain: options.domain, names: new Map() };
    const found = lookUp(known, question.name);
    if (found !== 'elsewhere') {
      if (!zone) {
        counters.failures++;
        return renderFailure(question);
      }
      return found === 'no-such-name'
        ? renderNegative(zone, question, 3)
        : renderAnswer(zone, question, found, { isUdp, turn });
    }
    counters.forwarded++;
    const forwarded = await forwarder.ask(packet, isUdp);
    if (forwarded) return forwarded;
    counters.failures++;
    return renderFailure(question);
  };

  const closers: (() => Promise<void>)[] = [];
  const listening: { address: string; port: number }[] = [];
  const stop = async () => void (await Promise.all(closers.map((close) => close())));
  try {
    for (const { address, port } of options.addresses) {
      const tcp = await listenTcp(address, port, answer);
      closers.push(tcp.close);
      const udp = await listenUdp(address, tcp.port, answer, options.log);
      closers.push(udp.close);
      listening.push({ address, port: tcp.port });
    }
  } catch (cause) {
    await stop();
    const where = options.addresses.map((one) => `${one.address}:${one.port}`).join(', ');
    throw new FlotillaError('HostToolFailed', `cannot answer DNS on ${where}: ${messageOf(cause)}`, {
      retryable: true,
      hint: 'see what holds the port with "ss -lnptu sport = :53"',
      cause,
    });
  }
  return {
    listening,
    apply: (desired) => {
      zone = desired;
    },
    stats: () => ({ ...counters }),
    stop,
  };
}

type Answer = (packet: Buffer, isUdp: boolean) => Promise<Buffer | undefined>;

function listenUdp(
  address: string,
  port: number,
  answer: Answer,
  log: Logger,
): Promise<{ close: () => Promise<void> }> {
  const socket: Socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', reuseAddr: false });
  socket.on('message', (packet, from) => {
    void answer(packet, true).then((response) => {
      if (response) socket.send(response, from.port, from.address, () => {}); // the asker may be gone
    });
  });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, address, () => {
      socket.off('error', reject);
      socket.on('error', (error) => log.warn('dns socket failed', { error }));
      resolve({ close: () => new Promise((done) => socket.close(() => done())) });
    });
  });
}

function listenTcp(
  address: string,
  port: number,
  answer: Answer,
): Promise<{ port: number; close: () => Promise<void> }> {
  const connections = new Set<TcpSocket>();
  const server: Server = createServer((socket) => {
    if (connections.size >= maxTcpConnections) return void socket.destroy();
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(tcpIdleMs, () => socket.destroy());
    let received = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const packet = received.subarray(2, 2 + received.readUInt16BE(0));
        received = received.subarray(2 + packet.length);
        void answer(packet, false).then(
          (response) => response && socket.writable && socket.write(withLength(response)),
        );
      }
    });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      server.off('error', reject);
      const bound = server.address();
      const close = () =>
        new Promise<void>((done) => {
          for (const socket of connections) socket.destroy();
          server.close(() => done());
        });
      resolve({ port: typeof bound === 'object' && bound ? bound.port : port, close });
    });
  });
}

import { createSocket, type Socket } from 'node:dgram';
import { createServer, isIPv6, type Server, type Socket as TcpSocket } from 'node:net';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { FlotillaError, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { isOurs, ZoneAnswers } from './answer.ts';
import { Forwarder, withLength } from './forwarder.ts';
import type { DnsServer } from './port.ts';
import { parseQuestion } from './question.ts';
import { renderResponse } from './response.ts';

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
  let answers: ZoneAnswers | undefined;

  /** Undefined: no answer. A promise only where somebody else must be asked. */
  const answer: Answer = (packet, isUdp) => {
    const question = parseQuestion(packet);
    if (!question) return undefined;
    counters.queries++;
    const own = answers?.answer(question, isUdp);
    if (own) return own;
    const failed = () => {
      counters.failures++;
      return renderResponse(question, { code: 2, isUdp });
    };
    if (!answers && isOurs(options.domain, question.name)) return failed();
    counters.forwarded++;
    return forwarder.ask(packet, isUdp).then((forwarded) => forwarded ?? failed());
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
    apply: (zone) => {
      answers = new ZoneAnswers(zone);
    },
    stats: () => ({ ...counters }),
    stop,
  };
}

type Answer = (packet: Buffer, isUdp: boolean) => Buffer | undefined | Promise<Buffer>;

function listenUdp(
  address: string,
  port: number,
  answer: Answer,
  log: Logger,
): Promise<{ close: () => Promise<void> }> {
  const socket: Socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', reuseAddr: false });
  let isOpen = true;
  socket.on('message', (packet, from) => {
    const send = (response: Buffer) => {
      if (isOpen) socket.send(response, from.port, from.address, () => {}); // the asker may be gone
    };
    const response = answer(packet, true);
    if (response instanceof Promise) void response.then(send);
    else if (response) send(response);
  });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, address, () => {
      socket.off('error', reject);
      socket.on('error', (error) => log.warn('dns socket failed', { error }));
      const close = () => {
        isOpen = false;
        return new Promise<void>((done) => socket.close(() => done()));
      };
      resolve({ close });
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
        const send = (response: Buffer) => void (socket.writable && socket.write(withLength(response)));
        const response = answer(Buffer.from(packet), false);
        if (response instanceof Promise) void response.then(send);
        else if (response) send(response);
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

import { createSocket } from 'node:dgram';
import { readFile } from 'node:fs/promises';
import { connect, isIP, isIPv6 } from 'node:net';
import type { Clock } from '../../lib/clock.ts';

export interface ForwarderOptions {
  /** Overrides the host's resolvers; `address` or `address:port` for IPv4. */
  readonly upstreams?: readonly string[];
  /** Default /etc/resolv.conf; read again when it is older than 5 s. */
  readonly resolvConfPath?: string;
  /** Addresses that are ourselves: asking them would go round in circles. */
  readonly ownAddresses: readonly string[];
  /** For each upstream. Default 2,000. */
  readonly timeoutMs?: number;
  readonly clock: Clock;
}

/** At most so many questions wait for upstreams; more are answered SERVFAIL at once. */
const maxInFlight = 512;
const resolvConfAgeMs = 5_000;

/** Asks the host's own resolvers, one after the other; undefined when none answered. */
export class Forwarder {
  readonly #options: ForwarderOptions;
  #inFlight = 0;
  #readAtMs = Number.NEGATIVE_INFINITY;
  #upstreams: readonly string[] = [];
  /** The one that answered last is asked first: a dead one must not cost each question its time-out. */
  #preferred: string | undefined;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  async ask(packet: Buffer, isUdp: boolean): Promise<Buffer | undefined> {
    if (this.#inFlight >= maxInFlight) return undefined;
    this.#inFlight++;
    try {
      for (const upstream of await this.#resolvers()) {
        const ask = isUdp ? askOverUdp : askOverTcp;
        const answer = await ask(packet, upstream, this.#options.timeoutMs ?? 2_000).catch(() => undefined);
        if (!answer || isRefusal(answer)) continue;
        this.#preferred = upstream;
        return answer;
      }
      return undefined;
    } finally {
      this.#inFlight--;
    }
  }

  async #resolvers(): Promise<readonly string[]> {
    if (this.#options.upstreams) return this.#preferredFirst(this.#options.upstreams);
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#readAtMs > resolvConfAgeMs) {
      const text = await readFile(this.#options.resolvConfPath ?? '/etc/resolv.conf', 'utf8').catch(() => '');
      this.#upstreams = parseNameservers(text).filter((one) => !this.#options.ownAddresses.includes(one));
      this.#readAtMs = nowMs;
    }
    return this.#preferredFirst(this.#upstreams);
  }

  #preferredFirst(upstreams: readonly string[]): readonly string[] {
    const first = this.#preferred;
    if (first === undefined || first === upstreams[0] || !upstreams.includes(first)) return upstreams;
    return [first, ...upstreams.filter((one) => one !== first)];
  }
}

/** The `nameserver` lines of resolv.conf(5). */
export function parseNameservers(text: string): string[] {
  return text
    .split('\n')
    .map((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? '')
    .filter((address) => isIP(address) !== 0);
}

/** REFUSED says nothing about the name, and musl stops its search at it. */
function isRefusal(answer: Buffer): boolean {
  return ((answer[3] ?? 0) & 0xf) === 5;
}

function endpointOf(upstream: string): { address: string; port: number } {
  const split = /^([\d.]+):(\d+)$/.exec(upstream);
  return split ? { address: split[1] ?? '', port: Number(split[2]) } : { address: upstream, port: 53 };
}

/** A socket a question: its random port makes forged answers hard (RFC 5452). */
function askOverUdp(packet: Buffer, upstream: string, timeoutMs: number): Promise<Buffer> {
  const { address, port } = endpointOf(upstream);
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    const finish = (end: () => void) => {
      clearTimeout(timer);
      socket.close();
      end();
    };
    const timer = setTimeout(() => finish(() => reject(new Error('no answer'))), timeoutMs);
    socket.on('error', (error) => finish(() => reject(error)));
    socket.on('message', (answer) => {
      const isAnswer = answer.length >= 12 && answer.readUInt16BE(0) === packet.readUInt16BE(0);
      if (isAnswer) finish(() => resolve(answer));
    });
    socket.connect(port, address, () => socket.send(packet));
  });
}

function askOverTcp(packet: Buffer, upstream: string, timeoutMs: number): Promise<Buffer> {
  const { address, port } = endpointOf(upstream);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port });
    let received = Buffer.alloc(0);
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error('no answer')));
    socket.on('connect', () => socket.write(withLength(packet)));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      const whole = received.length >= 2 && received.length >= 2 + received.readUInt16BE(0);
      if (!whole) return;
      resolve(received.subarray(2, 2 + received.readUInt16BE(0)));
      socket.destroy();
    });
    socket.on('close', () => reject(new Error('closed')));
    socket.on('error', reject);
  });
}

/** RFC 1035 §4.2.2: over TCP each message has its length in front. */
export function withLength(packet: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(packet.length);
  return Buffer.concat([length, packet]);
}

// Clients that ask one DNS server as fast as it answers, and say what became of each question.
import { createSocket, type Socket } from 'node:dgram';
import { query } from '../../src/adapters/dns/test-queries.ts';

export interface DnsLoadOptions {
  readonly address: string;
  readonly port: number;
  /** Asked for in turn. */
  readonly names: readonly string[];
  /** Each asks its next question when it has its answer. */
  readonly clients: number;
  /** Default 3,000. */
  readonly timeoutMs?: number;
  /** Called with each response. */
  readonly onAnswer?: (response: Buffer) => void;
}

export interface DnsLoadResult {
  readonly answered: number;
  /** "Nobody listens there" (ICMP). */
  readonly refused: number;
  /** No answer in time. */
  readonly lost: number;
  /** Another code than NOERROR. */
  readonly failed: number;
  readonly latenciesMs: Float64Array;
}

const maxLatencies = 2_000_000;

/** Runs until `stop`, which waits for the answers that are still out. */
export function startDnsLoad(options: DnsLoadOptions): { count(): number; stop(): Promise<DnsLoadResult> } {
  const { clients, names, timeoutMs = 3_000 } = options;
  const counts = { answered: 0, refused: 0, lost: 0, failed: 0 };
  const latencies = new Float64Array(maxLatencies);
  let isStopping = false;
  let turn = 0;
  const packets = names.map((name) => query(name));
  const done = Array.from({ length: clients }, () => runClient());
  return {
    count: () => counts.answered,
    stop: async () => {
      isStopping = true;
      await Promise.all(done);
      return { ...counts, latenciesMs: latencies.subarray(0, Math.min(counts.answered, maxLatencies)) };
    },
  };

  async function runClient(): Promise<void> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.connect(options.port, options.address, () => resolve()));
    let id = 0;
    while (!isStopping) {
      const packet = Buffer.from(packets[turn++ % packets.length] ?? Buffer.alloc(0));
      id = (id + 1) & 0xffff;
      packet.writeUInt16BE(id, 0);
      const startedMs = performance.now();
      const response = await askOnce(socket, packet, id, timeoutMs);
      if (typeof response === 'string') {
        counts[response]++;
        if (response === 'refused') await new Promise((resolve) => setTimeout(resolve, 1));
        continue;
      }
      latencies[counts.answered++ % maxLatencies] = performance.now() - startedMs;
      if (((response[3] ?? 0) & 0xf) !== 0) counts.failed++;
      options.onAnswer?.(response);
    }
    socket.close();
  }
}

function askOnce(socket: Socket, packet: Buffer, id: number, timeoutMs: number): Promise<Buffer | 'refused' | 'lost'> {
  return new Promise((resolve) => {
    const finish = (result: Buffer | 'refused' | 'lost') => {
      clearTimeout(timer);
      socket.off('message', take);
      socket.off('error', refuse);
      resolve(result);
    };
    const take = (response: Buffer) => {
      if (response.readUInt16BE(0) === id) finish(response);
    };
    const refuse = () => finish('refused');
    const timer = setTimeout(() => finish('lost'), timeoutMs);
    socket.on('message', take);
    socket.on('error', refuse);
    socket.send(packet);
  });
}

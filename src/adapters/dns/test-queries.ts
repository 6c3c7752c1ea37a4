import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import dnsPacket, { type DecodedPacket } from 'dns-packet';
import { withLength } from './upstream/exchange.ts';

export type QueryType = 'A' | 'AAAA' | 'SRV' | 'MX' | 'PTR' | 'CNAME' | 'ANY' | 'SOA' | 'AXFR' | 'TXT';

/** As a client encodes it, by a library that is not ours. `udpPayloadSize`: with an OPT record. */
export function query(name: string, type: QueryType = 'A', udpPayloadSize?: number, id = 77): Buffer {
  const edns = {
    type: 'OPT' as const,
    name: '.' as const,
    udpPayloadSize: udpPayloadSize ?? 0,
    flags: 0,
    options: [],
    extendedRcode: 0,
    ednsVersion: 0,
    flag_do: false,
  };
  // The types of the library do not know ANY and AXFR; its encoder does.
  const question = { type, name } as unknown as { type: 'A'; name: string };
  return dnsPacket.encode({
    type: 'query',
    id,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [question],
    additionals: udpPayloadSize === undefined ? [] : [edns],
  });
}

/** What a test looks at in a response. */
export interface Told {
  readonly id: number;
  readonly code: string;
  readonly isTruncated: boolean;
  readonly isAuthoritative: boolean;
  readonly question: string | undefined;
  readonly answers: readonly string[];
  readonly authority: readonly string[];
  /** Without OPT. */
  readonly additional: readonly string[];
  readonly hasEdns: boolean;
  readonly extendedCode: number;
  readonly ttls: readonly number[];
  readonly data: readonly unknown[];
  readonly bytes: number;
}

interface Decoded extends DecodedPacket {
  readonly rcode: string;
  readonly flag_tc: boolean;
  readonly flag_aa: boolean;
}

export function read(packet: Buffer): Told {
  const decoded = dnsPacket.decode(packet) as Decoded;
  const text = (one: object): string => {
    const { name, type, data } = one as { name: string; type: string; data: unknown };
    const shown = typeof data === 'string' ? data : JSON.stringify(data);
    return `${name} ${type} ${shown}`;
  };
  const opt = decoded.additionals?.find((one) => one.type === 'OPT');
  return {
    id: decoded.id ?? -1,
    code: decoded.rcode,
    isTruncated: decoded.flag_tc,
    isAuthoritative: decoded.flag_aa,
    question: decoded.questions?.[0]?.name,
    answers: (decoded.answers ?? []).map(text),
    authority: (decoded.authorities ?? []).map((one) => `${'name' in one ? one.name : ''} ${one.type}`),
    additional: (decoded.additionals ?? []).filter((one) => one.type !== 'OPT').map(text),
    hasEdns: opt !== undefined,
    extendedCode: opt && 'extendedRcode' in opt ? Number(opt.extendedRcode) : 0,
    ttls: (decoded.answers ?? []).map((one) => ('ttl' in one ? Number(one.ttl) : -1)),
    data: (decoded.answers ?? []).map((one) => ('data' in one ? one.data : undefined)),
    bytes: packet.length,
  };
}

export async function overUdp(port: number, packet: Buffer): Promise<Told> {
  const socket = createSocket('udp4');
  try {
    return await new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.on('message', (answer) => resolve(read(answer)));
      socket.send(packet, port, '127.0.0.1');
    });
  } finally {
    socket.close();
  }
}

/** Several questions at once over one connection: `chunks` are written as they are; resolves when so many answers came. */
export async function overTcp(port: number, chunks: readonly Buffer[], count = 1): Promise<Told[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const told: Told[] = [];
    let received = Buffer.alloc(0);
    for (const chunk of chunks) socket.write(chunk);
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`closed after ${told.length} answers`)));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        told.push(read(received.subarray(2, 2 + received.readUInt16BE(0))));
        received = received.subarray(2 + received.readUInt16BE(0));
      }
      if (told.length < count) return;
      resolve(told);
      socket.destroy();
    });
  });
}

export function framed(packet: Buffer): Buffer {
  return withLength(packet);
}

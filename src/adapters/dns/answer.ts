import { isIPv4, isIPv6 } from 'node:net';
import dnsPacket from 'dns-packet';
import ipaddr from 'ipaddr.js';
import type { DnsRecords, DnsZone } from './port.ts';

/** Seconds. Short, because an address leaves its name the moment its instance is not ready. */
const ttlSeconds = 5;
const classicUdpBytes = 512;

export interface Question {
  readonly id: number;
  /** Lower case, without the last dot. */
  readonly name: string;
  readonly type: string;
  /** The question section as it came, to be repeated. */
  readonly section: Buffer;
  readonly recursionDesired: boolean;
  /** Largest answer that the client takes over UDP. RFC 6891. */
  readonly udpBytes: number;
}

/** Undefined for what is not a query with one question (RFC 1035 §4.1): such packets get no answer. */
export function parseQuestion(packet: Buffer): Question | undefined {
  try {
    const decoded = dnsPacket.decode(packet);
    const question = decoded.questions?.[0];
    if (decoded.type !== 'query' || !question || decoded.questions?.length !== 1) return undefined;
    const edns = decoded.additionals?.find((one) => one.type === 'OPT') as { udpPayloadSize?: number } | undefined;
    return {
      id: decoded.id ?? 0,
      name: question.name.toLowerCase().replace(/\.$/, ''),
      type: question.type,
      section: packet.subarray(12, endOfQuestion(packet)),
      recursionDesired: ((decoded.flags ?? 0) & dnsPacket.RECURSION_DESIRED) !== 0,
      udpBytes: Math.max(classicUdpBytes, Math.min(edns?.udpPayloadSize ?? classicUdpBytes, 4096)),
    };
  } catch {
    return undefined;
  }
}

/** A question is labels up to an empty one, then type and class; it is the first name, so nothing is compressed. */
function endOfQuestion(packet: Buffer): number {
  let offset = 12;
  while (packet.readUInt8(offset) !== 0) offset += 1 + packet.readUInt8(offset);
  return offset + 5;
}

export type Lookup = 'elsewhere' | 'no-such-name' | DnsRecords;

/**
 * What the zone says of a name. Single labels are never sent on: a search list makes them, and a resolver that answers
 * REFUSED to one ends musl's search.
 */
export function lookUp(zone: DnsZone, name: string): Lookup {
  if (name.endsWith(`.${zone.domain}`)) {
    return (
      zone.names.get(name.slice(0, -zone.domain.length - 1)) ?? (isParent(zone, name) ? noRecords : 'no-such-name')
    );
  }
  if (name === zone.domain) return noRecords;
  return name.includes('.') || name === '' ? 'elsewhere' : 'no-such-name';
}

const noRecords: DnsRecords = { addresses: [] };

/** `shop.svc` exists when `web.shop.svc` does: an empty answer, not "no such name" (RFC 8020). */
function isParent(zone: DnsZone, name: string): boolean {
  const below = name.slice(0, -zone.domain.length - 1);
  if (below === 'svc') return true;
  const suffix = `.${below}`;
  for (const known of zone.names.keys()) if (known.endsWith(suffix)) return true;
  return false;
}

export interface AnswerOptions {
  readonly isUdp: boolean;
  /** Which address comes first; a counter gives each its turn. */
  readonly turn: number;
}

export function renderAnswer(zone: DnsZone, question: Question, found: DnsRecords, options: AnswerOptions): Buffer {
  const family = question.type === 'AAAA' ? isIPv6 : isIPv4;
  if (question.type === 'A' || question.type === 'AAAA') {
    const addresses = found.addresses.filter((one) => family(one));
    return addresses.length === 0 ? renderNegative(zone, question, 0) : renderAddresses(question, addresses, options);
  }
  if (question.type === 'SRV' && found.services?.length) {
    const answers = found.services.map(({ port, target }) => ({
      type: 'SRV' as const,
      name: question.name,
      ttl: ttlSeconds,
      data: { port, target, priority: 0, weight: 1 },
    }));
    const packet = dnsPacket.encode({
      type: 'response',
      id: question.id,
      flags: flagsOf(question),
      questions: [{ type: 'SRV', name: question.name }],
      answers,
    });
    return options.isUdp && packet.length > question.udpBytes ? truncated(question) : packet;
  }
  return renderNegative(zone, question, 0);
}

/**
 * By hand, because the library does not compress names: 28 addresses instead of about 10 fit in the 512 bytes that a
 * resolver without EDNS (musl) reads, and it does not ask again over TCP. What does not fit sets TC.
 */
function renderAddresses(question: Question, addresses: readonly string[], options: AnswerOptions): Buffer {
  const dataBytes = question.type === 'A' ? 4 : 16;
  const recordBytes = 12 + dataBytes;
  const room = (options.isUdp ? question.udpBytes : 65_535) - 12 - question.section.length;
  const count = Math.min(addresses.length, Math.floor(room / recordBytes));
  const packet = Buffer.alloc(12 + question.section.length + count * recordBytes);
  const flags = flagsOf(question) | (count < addresses.length ? dnsPacket.TRUNCATED_RESPONSE : 0);
  writeHeader(packet, question, flags, count);
  let offset = 12 + question.section.length;
  for (let index = 0; index < count; index++) {
    const address = addresses[(options.turn + index) % addresses.length] ?? '';
    packet.writeUInt16BE(0xc00c, offset); // the question's name
    packet.writeUInt16BE(question.type === 'A' ? 1 : 28, offset + 2);
    packet.writeUInt16BE(1, offset + 4);
    packet.writeUInt32BE(ttlSeconds, offset + 6);
    packet.writeUInt16BE(dataBytes, offset + 10);
    packet.set(ipaddr.parse(address).toByteArray(), offset + 12);
    offset += recordBytes;
  }
  return packet;
}

/**
 * "No such name" (code 3) or "no such record" (code 0), with the SOA that lets resolvers remember it (RFC 2308).
 * NXDOMAIN to AAAA of a name that has an A would make musl report the name as absent: such names come here with 0.
 */
export function renderNegative(zone: DnsZone, question: Question, code: 0 | 3): Buffer {
  const name = zone.domain;
  return dnsPacket.encode({
    type: 'response',
    id: question.id,
    flags: flagsOf(question) | code,
    questions: [{ type: question.type as 'A', name: question.name }],
    authorities: [
      {
        type: 'SOA',
        name,
        ttl: ttlSeconds,
        data: {
          mname: `ns.dns.${name}`,
          rname: `hostmaster.${name}`,
          serial: 1,
          refresh: 7200,
          retry: 1800,
          expire: 86_400,
          minimum: ttlSeconds,
        },
      },
    ],
  });
}

/** SERVFAIL: the client tries again, and never takes it for an answer. */
export function renderFailure(question: Question): Buffer {
  const packet = Buffer.alloc(12 + question.section.length);
  writeHeader(packet, question, flagsOf(question) | 2, 0);
  return packet;
}

function truncated(question: Question): Buffer {
  const packet = Buffer.alloc(12 + question.section.length);
  writeHeader(packet, question, flagsOf(question) | dnsPacket.TRUNCATED_RESPONSE, 0);
  return packet;
}

function writeHeader(packet: Buffer, question: Question, flags: number, answers: number): void {
  packet.writeUInt16BE(question.id, 0);
  packet.writeUInt16BE(0x8000 | flags, 2);
  packet.writeUInt16BE(1, 4);
  packet.writeUInt16BE(answers, 6);
  question.section.copy(packet, 12);
}

function flagsOf(question: Question): number {
  const desired = question.recursionDesired ? dnsPacket.RECURSION_DESIRED : 0;
  return dnsPacket.AUTHORITATIVE_ANSWER | dnsPacket.RECURSION_AVAILABLE | desired;
}

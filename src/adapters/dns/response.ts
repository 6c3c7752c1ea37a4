import ipaddr from 'ipaddr.js';
import type { Question } from './question.ts';

/** Seconds. Short, because an address leaves its name the moment its instance is not ready. */
export const ttlSeconds = 5;

export const recordTypes = { A: 1, SOA: 6, PTR: 12, AAAA: 28, SRV: 33, ANY: 255 } as const;

/** `noError` 0, `serverFailure` 2, `noSuchName` 3. RFC 1035 §4.1.1. Never 5, REFUSED: it ends musl's search. */
export type ResponseCode = 0 | 2 | 3;

const optBytes = 11;
const questionsName = Buffer.of(0xc0, 12); // a pointer to the name of the question

export interface ResponseContent {
  readonly code: ResponseCode;
  readonly isUdp: boolean;
  /** Whole records, in the order in which they are wanted. What does not fit is left out, and TC is set. */
  readonly answers?: readonly Buffer[];
  /** Index of the first one to send; the rest follow around the end. */
  readonly first?: number;
  readonly authority?: Buffer;
}

export function renderResponse(question: Question, content: ResponseContent): Buffer {
  const { answers = [], first = 0, authority } = content;
  const fixed = 12 + question.section.length + (question.hasEdns ? optBytes : 0) + (authority?.length ?? 0);
  const room = (content.isUdp ? question.udpBytes : 65_535) - fixed;
  const sent: Buffer[] = [];
  let bytes = 0;
  for (let index = 0; index < answers.length; index++) {
    const record = answers[(first + index) % answers.length];
    if (!record || bytes + record.length > room) break;
    sent.push(record);
    bytes += record.length;
  }
  const packet = Buffer.allocUnsafe(fixed + bytes);
  const isTruncated = sent.length < answers.length;
  // Response, authoritative, recursion available.
  const flags = 0x8480 | (isTruncated ? 0x0200 : 0) | (question.recursionDesired ? 0x0100 : 0) | content.code;
  packet.writeUInt16BE(question.id, 0);
  packet.writeUInt16BE(flags, 2);
  packet.writeUInt16BE(1, 4);
  packet.writeUInt16BE(sent.length, 6);
  packet.writeUInt16BE(authority ? 1 : 0, 8);
  packet.writeUInt16BE(question.hasEdns ? 1 : 0, 10);
  let offset = 12;
  for (const part of [question.section, ...sent, ...(authority ? [authority] : [])]) {
    packet.set(part, offset);
    offset += part.length;
  }
  if (question.hasEdns) packet.set(Buffer.of(0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0), offset); // takes 1,232 bytes
  return packet;
}

/** A record of the name that was asked for: compressed, so that 28 addresses fit into 512 bytes and not 10. */
export function addressRecord(address: string): { readonly type: number; readonly record: Buffer } {
  const parsed = ipaddr.parse(address);
  const type = parsed.kind() === 'ipv4' ? recordTypes.A : recordTypes.AAAA;
  return { type, record: renderRecord(questionsName, type, Buffer.from(parsed.toByteArray())) };
}

export function srvRecord(port: number, target: string): Buffer {
  const fixed = Buffer.alloc(6);
  fixed.writeUInt16BE(1, 2); // priority 0, weight 1
  fixed.writeUInt16BE(port, 4);
  return renderRecord(questionsName, recordTypes.SRV, Buffer.concat([fixed, encodeName(target)]));
}

export function ptrRecord(target: string): Buffer {
  return renderRecord(questionsName, recordTypes.PTR, encodeName(target));
}

/** Lets resolvers remember that there is nothing, as long as our other answers. RFC 2308. */
export function soaRecord(domain: string): Buffer {
  const numbers = Buffer.alloc(20);
  for (const [index, value] of [1, 7200, 1800, 86_400, ttlSeconds].entries()) numbers.writeUInt32BE(value, index * 4);
  const data = Buffer.concat([encodeName(`ns.dns.${domain}`), encodeName(`hostmaster.${domain}`), numbers]);
  return renderRecord(encodeName(domain), recordTypes.SOA, data);
}

function renderRecord(name: Buffer, type: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2); // class IN
  fixed.writeUInt32BE(ttlSeconds, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([name, fixed, data]);
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').map((label) => {
    const bytes = Buffer.from(label, 'latin1').subarray(0, 63);
    return Buffer.concat([Buffer.of(bytes.length), bytes]);
  });
  return Buffer.concat([...labels, Buffer.of(0)]);
}

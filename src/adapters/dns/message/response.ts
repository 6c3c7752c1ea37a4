import { type BadQuery, headerBytes, largestUdpBytes, type Question } from './question.ts';
import type { NameData, ResourceRecord } from './record.ts';

/** RFC 1035 §4.1.1; 16 is BADVERS (RFC 6891). Never 5, REFUSED: it ends musl's search. */
export type ResponseCode = 0 | 1 | 2 | 3 | 4 | 16;

const optBytes = 11;
const maxTcpBytes = 65_535;
const maxPointer = 0x3fff;
const authoritative = 0x0400;
const truncated = 0x0200;

export interface ResponseContent {
  readonly code: ResponseCode;
  readonly isUdp: boolean;
  /** Not ours alone: part of it was asked elsewhere. */
  readonly isForwarded?: boolean;
  /** In the order in which they are wanted. What does not fit is left out, and TC is set. */
  readonly answers?: readonly ResourceRecord[];
  readonly authority?: ResourceRecord;
  /** Left out where they do not fit. */
  readonly additional?: readonly ResourceRecord[];
}

export function renderResponse(question: Question, content: ResponseContent): Buffer {
  const limit = bytesFor(question, content.isUdp);
  const writer = new RecordWriter(question, limit);
  let isTruncated = false;
  const counts = [0, 0, 0];
  for (const record of content.answers ?? []) {
    if (!writer.add(record)) {
      isTruncated = true;
      break;
    }
    counts[0]!++;
  }
  if (content.authority && !isTruncated && writer.add(content.authority)) counts[1]!++;
  for (const record of isTruncated ? [] : (content.additional ?? [])) {
    if (!writer.add(record)) break;
    counts[2]!++;
  }
  const flags = (content.isForwarded ? 0 : authoritative) | (isTruncated ? truncated : 0);
  const records = writer.bytes();
  return assemble(question, { code: content.code, flags, counts, records: [records], length: records.length });
}

/** Records of the name that was asked for, ready to be sent, beginning with the `first`: what is asked for most often. */
export function renderPrepared(question: Question, isUdp: boolean, records: readonly Buffer[], first: number): Buffer {
  const limit = bytesFor(question, isUdp) - headerBytes - question.section.length;
  const sent: Buffer[] = [];
  let length = 0;
  for (let index = 0; index < records.length; index++) {
    const record = records[(first + index) % records.length];
    if (!record || length + record.length > limit) break;
    sent.push(record);
    length += record.length;
  }
  const flags = authoritative | (sent.length < records.length ? truncated : 0);
  return assemble(question, { code: 0, flags, counts: [sent.length, 0, 0], records: sent, length });
}

/** `renderPrepared` takes these: the name is a pointer to the question, so that 28 addresses fit into 512 bytes, not 10. */
export function prepareRecord(type: number, ttl: number, data: Buffer): Buffer {
  const record = Buffer.alloc(12 + data.length);
  record.writeUInt16BE(0xc000 | headerBytes, 0);
  record.writeUInt16BE(type, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt32BE(ttl, 6);
  record.writeUInt16BE(data.length, 10);
  record.set(data, 12);
  return record;
}

/** The header alone: the question could not be read, or is of a kind that we do not know. */
export function renderRefusal(query: BadQuery): Buffer {
  const packet = Buffer.alloc(headerBytes);
  packet.writeUInt16BE(query.id, 0);
  packet.writeUInt16BE(0x8080 | (query.opcode << 11) | (query.recursionDesired ? 0x0100 : 0) | query.refusal, 2);
  return packet;
}

/** For header, question and records; room for the OPT record is kept. */
export function bytesFor(question: Question, isUdp: boolean): number {
  return (isUdp ? question.udpBytes : maxTcpBytes) - (question.hasEdns ? optBytes : 0);
}

export interface AssembledParts {
  readonly code: number;
  /** Besides QR, RA, RD, CD and the code. */
  readonly flags: number;
  readonly counts: readonly number[];
  readonly records: readonly Uint8Array[];
  readonly length: number;
}

/** Header, the question as it came, records, and an OPT record where the query had one. */
export function assemble(question: Question, parts: AssembledParts): Buffer {
  const { section, hasEdns } = question;
  const packet = Buffer.allocUnsafe(headerBytes + section.length + parts.length + (hasEdns ? optBytes : 0));
  const asked = (question.recursionDesired ? 0x0100 : 0) | (question.checkingDisabled ? 0x0010 : 0);
  packet.writeUInt16BE(question.id, 0);
  packet.writeUInt16BE(0x8080 | parts.flags | asked | (parts.code & 0xf), 2);
  packet.writeUInt16BE(1, 4);
  packet.writeUInt16BE(parts.counts[0] ?? 0, 6);
  packet.writeUInt16BE(parts.counts[1] ?? 0, 8);
  packet.writeUInt16BE((parts.counts[2] ?? 0) + (hasEdns ? 1 : 0), 10);
  packet.set(section, headerBytes);
  let offset = headerBytes + section.length;
  for (const record of parts.records) {
    packet.set(record, offset);
    offset += record.length;
  }
  if (hasEdns) writeOpt(packet, offset, { extendedCode: parts.code >> 4, dnssecOk: question.dnssecOk });
  return packet;
}

/** RFC 6891 §6.1.2; we take 1,232 bytes. */
export function writeOpt(
  packet: Buffer,
  offset: number,
  { extendedCode, dnssecOk }: { readonly extendedCode: number; readonly dnssecOk: boolean },
): void {
  packet[offset] = 0;
  packet.writeUInt16BE(41, offset + 1);
  packet.writeUInt16BE(largestUdpBytes, offset + 3);
  packet[offset + 5] = extendedCode;
  packet[offset + 6] = 0; // version
  packet.writeUInt16BE(dnssecOk ? 0x8000 : 0, offset + 7);
  packet.writeUInt16BE(0, offset + 9);
}

/** Writes records behind a question, names compressed (RFC 1035 §4.1.4). */
class RecordWriter {
  /** Name → where it stands in the message. */
  readonly #places = new Map<string, number>();
  readonly #start: number;
  readonly #limit: number;
  #buffer = Buffer.allocUnsafe(512);
  #length = 0;

  constructor(question: Question, limit: number) {
    this.#start = headerBytes + question.section.length;
    this.#limit = limit;
    let rest = question.name.includes('\\') ? '' : question.name;
    for (let offset = headerBytes; rest !== ''; ) {
      this.#places.set(rest, offset);
      const dot = rest.indexOf('.');
      offset += (dot < 0 ? rest.length : dot) + 1;
      rest = dot < 0 ? '' : rest.slice(dot + 1);
    }
  }

  /** False when it does not fit; nothing of it is written then. */
  add({ name, type, ttl, data }: ResourceRecord): boolean {
    const before = this.#length;
    this.#name(name, true);
    const fixed = this.#reserve(10);
    this.#buffer.writeUInt16BE(type, fixed);
    this.#buffer.writeUInt16BE(1, fixed + 2);
    this.#buffer.writeUInt32BE(ttl, fixed + 4);
    const start = this.#length;
    if (Buffer.isBuffer(data)) this.#bytes(data);
    else this.#names(data);
    this.#buffer.writeUInt16BE(this.#length - start, fixed + 8);
    if (this.#start + this.#length <= this.#limit) return true;
    this.#length = before;
    for (const [known, place] of this.#places) if (place >= this.#start + before) this.#places.delete(known);
    return false;
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #names(data: NameData): void {
    if (data.before) this.#bytes(data.before);
    for (const name of data.names) this.#name(name, !data.isWhole);
    if (data.after) this.#bytes(data.after);
  }

  #name(name: string, mayPoint: boolean): void {
    let rest = name;
    while (rest !== '') {
      const known = this.#places.get(rest);
      if (known !== undefined && mayPoint) {
        const offset = this.#reserve(2);
        this.#buffer.writeUInt16BE(0xc000 | known, offset);
        return;
      }
      const place = this.#start + this.#length;
      if (known === undefined && place <= maxPointer) this.#places.set(rest, place);
      const dot = rest.indexOf('.');
      const label = (dot < 0 ? rest : rest.slice(0, dot)).slice(0, 63);
      const offset = this.#reserve(label.length + 1);
      this.#buffer[offset] = label.length;
      this.#buffer.write(label, offset + 1, 'latin1');
      rest = dot < 0 ? '' : rest.slice(dot + 1);
    }
    const end = this.#reserve(1);
    this.#buffer[end] = 0;
  }

  #bytes(data: Buffer): void {
    const offset = this.#reserve(data.length);
    this.#buffer.set(data, offset);
  }

  /** May replace the buffer: call it before the buffer is named. */
  #reserve(bytes: number): number {
    const offset = this.#length;
    this.#length += bytes;
    if (this.#length > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#length, this.#buffer.length * 2));
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    return offset;
  }
}

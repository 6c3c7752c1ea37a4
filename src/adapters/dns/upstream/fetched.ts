import { type Question, skipName } from '../message/question.ts';
import { type ResourceRecord, recordTypes } from '../message/record.ts';
import { assemble, bytesFor } from '../message/response.ts';

/** What a resolver answered, so that it can be given to many: without its id and its OPT record, and with its times to live found. */
export interface Fetched {
  readonly code: number;
  /** AD: the resolver has checked signatures. */
  readonly isAuthentic: boolean;
  /** Of answers, authority, additional. */
  readonly counts: readonly [number, number, number];
  /** The whole message: names in it point to places in it. */
  readonly packet: Buffer;
  readonly questionEnd: number;
  readonly end: number;
  /** Where times to live stand in `packet`. */
  readonly ttlOffsets: readonly number[];
  /** Seconds that it may be kept; 0: not at all. */
  readonly keepSeconds: number;
}

const typeOpt = 41;
const maxKeepSeconds = 3_600;
const maxKeepAbsentSeconds = 300;
const maxRecords = 4_096;

/** Undefined when it cannot be read to its end. */
export function readFetched(packet: Buffer, questionEnd: number): Fetched | undefined {
  if (packet.length < questionEnd) return undefined;
  const counts: [number, number, number] = [packet.readUInt16BE(6), packet.readUInt16BE(8), packet.readUInt16BE(10)];
  if (counts[0] + counts[1] + counts[2] > maxRecords) return undefined;
  const code = packet.readUInt16BE(2) & 0xf;
  const ttlOffsets: number[] = [];
  let keepSeconds = maxKeepSeconds;
  let hasData = false;
  let absentSeconds: number | undefined;
  let end = questionEnd;
  for (let section = 0; section < 3; section++) {
    const count = counts[section] ?? 0;
    for (let index = 0; index < count; index++) {
      const at = skipName(packet, end);
      const next = at === undefined || at + 10 > packet.length ? undefined : at + 10 + packet.readUInt16BE(at + 8);
      if (at === undefined || next === undefined || next > packet.length) return undefined;
      const type = packet.readUInt16BE(at);
      if (type === typeOpt) {
        if (section !== 2) return undefined;
        // The last one nearly always; what follows it is only additional.
        counts[2] = index;
        break;
      }
      const ttl = packet.readUInt32BE(at + 4);
      ttlOffsets.push(at + 4);
      keepSeconds = Math.min(keepSeconds, ttl);
      if (section === 0 && type !== recordTypes.CNAME) hasData = true;
      if (section === 1 && type === recordTypes.SOA && next - at >= 30) {
        absentSeconds = Math.min(ttl, packet.readUInt32BE(next - 4), maxKeepAbsentSeconds);
      }
      end = next;
    }
  }
  const isAbsent = code === 3 || (code === 0 && !hasData);
  if (isAbsent) keepSeconds = absentSeconds === undefined ? 0 : Math.min(keepSeconds, absentSeconds);
  if (code !== 0 && code !== 3) keepSeconds = 0;
  return {
    code,
    isAuthentic: (packet.readUInt16BE(2) & 0x0020) !== 0,
    counts,
    packet,
    questionEnd,
    end,
    ttlOffsets,
    keepSeconds,
  };
}

/** For one client: its id and letter case, and times to live less the age. */
export function renderFetched(question: Question, fetched: Fetched, isUdp: boolean, ageSeconds: number): Buffer {
  const { code, counts, questionEnd, end, ttlOffsets } = fetched;
  const flags = fetched.isAuthentic ? 0x0020 : 0;
  if (end > bytesFor(question, isUdp)) {
    return assemble(question, { code, flags: flags | 0x0200, counts: [0, 0, 0], records: [], length: 0 });
  }
  const records = Buffer.from(fetched.packet.subarray(questionEnd, end));
  for (const offset of ttlOffsets) {
    const at = offset - questionEnd;
    records.writeUInt32BE(Math.max(0, records.readUInt32BE(at) - ageSeconds), at);
  }
  return assemble(question, { code, flags, counts, records: [records], length: records.length });
}

/** Addresses and aliases among its answers, to be written into another message. */
export function answersOf(fetched: Fetched, ageSeconds: number): ResourceRecord[] {
  const { packet } = fetched;
  const records: ResourceRecord[] = [];
  let offset = fetched.questionEnd;
  for (let index = 0; index < fetched.counts[0]; index++) {
    const at = skipName(packet, offset);
    const name = readName(packet, offset);
    if (at === undefined || name === undefined) return records;
    const type = packet.readUInt16BE(at);
    const ttl = Math.max(0, packet.readUInt32BE(at + 4) - ageSeconds);
    const start = at + 10;
    offset = start + packet.readUInt16BE(at + 8);
    const target = type === recordTypes.CNAME ? readName(packet, start) : undefined;
    if (target !== undefined) records.push({ name, type, ttl, data: { names: [target] } });
    else if (type === recordTypes.A || type === recordTypes.AAAA) {
      records.push({ name, type, ttl, data: Buffer.from(packet.subarray(start, offset)) });
    }
  }
  return records;
}

/** With its pointers followed; undefined when they do not end, or when a label has a dot in it. */
function readName(packet: Buffer, start: number): string | undefined {
  const labels: string[] = [];
  let offset = start;
  let bytes = 0;
  for (let jumps = 0; jumps < 64; ) {
    const length = packet[offset];
    if (length === undefined) return undefined;
    if (length === 0) return labels.join('.');
    if (length >= 0xc0) {
      offset = ((length & 0x3f) << 8) | (packet[offset + 1] ?? 0);
      jumps++;
      continue;
    }
    const label = packet.toString('latin1', offset + 1, offset + 1 + length);
    bytes += length + 1;
    if (length > 63 || bytes > 254 || label.length !== length || label.includes('.')) return undefined;
    labels.push(label);
    offset += length + 1;
  }
  return undefined;
}

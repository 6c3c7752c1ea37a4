/** The header, the one question and the OPT record of a DNS query (RFC 1035 §4.1), read by hand: each query passes here. */
export interface Question {
  readonly id: number;
  /** Lower case, without the last dot; '' is the root. A dot or a backslash inside of a label has a backslash before it. */
  readonly name: string;
  /** Number of the record type: 1 A, 28 AAAA, 33 SRV, 12 PTR. */
  readonly type: number;
  /** 1: the Internet. */
  readonly class: number;
  /** The question section as it came, letter case included: some resolvers check that it is repeated (0x20). */
  readonly section: Buffer;
  readonly recursionDesired: boolean;
  readonly checkingDisabled: boolean;
  /** The query has an OPT record, so the answer must have one. RFC 6891 §6.1.1. */
  readonly hasEdns: boolean;
  /** Above 0: to be answered BADVERS. */
  readonly ednsVersion: number;
  /** DO: signatures are wanted. */
  readonly dnssecOk: boolean;
  /** Largest answer that the client takes over UDP. */
  readonly udpBytes: number;
}

/** A query that cannot be answered, but can be told so. */
export interface BadQuery {
  readonly id: number;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  /** 1 FORMERR, 4 NOTIMP. */
  readonly refusal: 1 | 4;
}

export const headerBytes = 12;
export const classicUdpBytes = 512;
/** What we send over UDP at most, whatever the client would take: does not fragment on our networks. */
export const largestUdpBytes = 1232;
const maxNameBytes = 255;
const typeOpt = 41;

/** Undefined for what is not a query at all: such packets get no answer. */
export function parseQuery(packet: Buffer): Question | BadQuery | undefined {
  if (packet.length < headerBytes) return undefined;
  const flags = packet.readUInt16BE(2);
  if ((flags & 0x8000) !== 0) return undefined; // an answer to an answer would go on for ever
  const id = packet.readUInt16BE(0);
  const opcode = (flags >> 11) & 0xf;
  const recursionDesired = (flags & 0x0100) !== 0;
  const bad = (refusal: 1 | 4): BadQuery => ({ id, opcode, recursionDesired, refusal });
  if (opcode !== 0) return bad(4);
  if (packet.readUInt16BE(4) !== 1 || packet.readUInt16BE(6) !== 0) return bad(1);
  const name = readQuestionName(packet);
  if (!name || name.end + 4 > packet.length) return bad(1);
  const opt = readOpt(packet, name.end + 4);
  if (opt === 'malformed') return bad(1);
  return {
    id,
    name: name.text,
    type: packet.readUInt16BE(name.end),
    class: packet.readUInt16BE(name.end + 2),
    section: packet.subarray(headerBytes, name.end + 4),
    recursionDesired,
    checkingDisabled: (flags & 0x0010) !== 0,
    hasEdns: opt !== undefined,
    ednsVersion: opt?.version ?? 0,
    dnssecOk: opt?.dnssecOk ?? false,
    udpBytes: Math.max(classicUdpBytes, Math.min(opt?.udpBytes ?? 0, largestUdpBytes)),
  };
}

function readQuestionName(packet: Buffer): { readonly text: string; readonly end: number } | undefined {
  let text = '';
  let offset = headerBytes;
  for (;;) {
    const length = packet[offset];
    if (length === undefined || length > 63) return undefined; // a first name has nothing to point to
    offset++;
    if (length === 0) return { text: text.toLowerCase(), end: offset };
    if (offset + length >= packet.length || offset + length - headerBytes >= maxNameBytes) return undefined;
    let label = packet.toString('latin1', offset, offset + length);
    if (/[.\\]/.test(label)) label = label.replaceAll(/[.\\]/g, '\\$&');
    text = text === '' ? label : `${text}.${label}`;
    offset += length;
  }
}

interface Opt {
  readonly udpBytes: number;
  readonly version: number;
  readonly dnssecOk: boolean;
}

/** The OPT record among the records behind the question. Two of them are an error (RFC 6891 §6.1.1). */
function readOpt(packet: Buffer, start: number): Opt | undefined | 'malformed' {
  let records = packet.readUInt16BE(8) + packet.readUInt16BE(10);
  let offset = start;
  let opt: Opt | undefined;
  for (; records > 0; records--) {
    const name = skipName(packet, offset);
    if (name === undefined || name + 10 > packet.length) return 'malformed';
    const isRoot = name === offset + 1;
    const end = name + 10 + packet.readUInt16BE(name + 8);
    if (end > packet.length) return 'malformed';
    if (packet.readUInt16BE(name) === typeOpt) {
      if (opt || !isRoot) return 'malformed';
      opt = {
        udpBytes: packet.readUInt16BE(name + 2),
        version: packet[name + 5] ?? 0,
        dnssecOk: (packet.readUInt16BE(name + 6) & 0x8000) !== 0,
      };
    }
    offset = end;
  }
  return opt;
}

/** Where the name at `offset` ends, a pointer included; undefined when it does not. */
export function skipName(packet: Buffer, offset: number): number | undefined {
  for (let at = offset; at < packet.length; ) {
    const length = packet[at] ?? 0;
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2 <= packet.length ? at + 2 : undefined;
    if (length > 63) return undefined;
    at += length + 1;
  }
  return undefined;
}

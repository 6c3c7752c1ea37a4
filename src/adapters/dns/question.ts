/** The header and the one question of a DNS message (RFC 1035 §4.1), read by hand: each query passes here. */
export interface Question {
  readonly id: number;
  /** Lower case, without the last dot; '' is the root. */
  readonly name: string;
  /** Number of the record type: 1 A, 28 AAAA, 33 SRV, 12 PTR. */
  readonly type: number;
  /** The question section as it came, letter case included: some resolvers check that it is repeated (0x20). */
  readonly section: Buffer;
  readonly recursionDesired: boolean;
  /** The query has an OPT record, so the answer must have one. RFC 6891 §6.1.1. */
  readonly hasEdns: boolean;
  /** Largest answer that the client takes over UDP. */
  readonly udpBytes: number;
}

const headerBytes = 12;
const classicUdpBytes = 512;
/** What we send over UDP at most, whatever the client would take: does not fragment on our networks. */
const largestUdpBytes = 1232;

/** Undefined for what is not a standard query with one question: such packets get no answer. */
export function parseQuestion(packet: Buffer): Question | undefined {
  if (packet.length < headerBytes + 5) return undefined;
  const flags = packet.readUInt16BE(2);
  const isQuery = (flags & 0xf800) === 0; // neither response nor another opcode
  if (!isQuery || packet.readUInt16BE(4) !== 1) return undefined;
  const labels: string[] = [];
  let offset = headerBytes;
  for (;;) {
    const length = packet[offset];
    if (length === undefined || length > 63) return undefined; // a first name has nothing to point to
    offset++;
    if (length === 0) break;
    if (offset + length > packet.length || offset - headerBytes + length > 255) return undefined;
    labels.push(packet.toString('latin1', offset, offset + length));
    offset += length;
  }
  if (offset + 4 > packet.length) return undefined;
  const section = packet.subarray(headerBytes, offset + 4);
  const edns = ednsBytes(packet, offset + 4);
  return {
    id: packet.readUInt16BE(0),
    name: labels.join('.').toLowerCase(),
    type: packet.readUInt16BE(offset),
    section,
    recursionDesired: (flags & 0x0100) !== 0,
    hasEdns: edns !== undefined,
    udpBytes: Math.max(classicUdpBytes, Math.min(edns ?? 0, largestUdpBytes)),
  };
}

/** Size in the OPT record right behind the question, where every stub resolver puts it. */
function ednsBytes(packet: Buffer, offset: number): number | undefined {
  const hasOpt = packet.readUInt16BE(10) > 0 && packet.length >= offset + 11;
  if (!hasOpt || packet[offset] !== 0 || packet.readUInt16BE(offset + 1) !== 41) return undefined;
  return packet.readUInt16BE(offset + 3);
}

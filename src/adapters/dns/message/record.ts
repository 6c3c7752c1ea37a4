import { isIP } from 'node:net';

export const recordTypes = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, HINFO: 13, AAAA: 28, SRV: 33, ANY: 255 } as const;

/** Seconds that clients may keep an answer. ADR 0026. */
export const ttls = {
  /** A virtual address stays with its service. */
  service: 5,
  /** A pod's address leaves its name the moment it stops serving: nothing may be kept. */
  pod: 0,
  /** What does not exist now may exist at the next question. */
  absent: 0,
} as const;

/** A record that is not only bytes: names in it may be written as pointers to earlier ones. */
export interface ResourceRecord {
  /** Whose it is; '' is the root. */
  readonly name: string;
  readonly type: number;
  readonly ttl: number;
  readonly data: Buffer | NameData;
}

export interface NameData {
  readonly before?: Buffer;
  readonly names: readonly string[];
  readonly after?: Buffer;
  /** SRV's target must be written whole (RFC 2782). */
  readonly isWhole?: boolean;
}

/** Undefined for what is no address: one bad address must not take a name away. */
export function addressData(address: string): { readonly type: number; readonly data: Buffer } | undefined {
  const family = isIP(address);
  if (family === 4) return { type: recordTypes.A, data: Buffer.from(address.split('.').map(Number)) };
  if (family !== 6 || address.includes('%')) return undefined;
  return { type: recordTypes.AAAA, data: parseIPv6(address) };
}

function parseIPv6(address: string): Buffer {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const pair = (high = '', low = '') => ((Number(high) << 8) | Number(low)).toString(16);
  const text = dotted ? `${dotted[1]}${pair(dotted[2], dotted[3])}:${pair(dotted[4], dotted[5])}` : address;
  const [head = '', tail] = text.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const [first, last] = [groups(head), groups(tail ?? '')];
  const data = Buffer.alloc(16);
  for (const [index, group] of first.entries()) data.writeUInt16BE(group, index * 2);
  for (const [index, group] of last.entries()) data.writeUInt16BE(group, 16 - (last.length - index) * 2);
  return data;
}

export function srvRecord(name: string, port: number, target: string, ttl: number): ResourceRecord {
  const before = Buffer.alloc(6);
  before.writeUInt16BE(1, 2); // priority 0, weight 1
  before.writeUInt16BE(port, 4);
  return { name, type: recordTypes.SRV, ttl, data: { before, names: [target], isWhole: true } };
}

export function nameRecord(name: string, type: number, target: string, ttl: number): ResourceRecord {
  return { name, type, ttl, data: { names: [target] } };
}

/** Its last number says how long resolvers may remember that there is nothing (RFC 2308). */
export function soaRecord(zone: string): ResourceRecord {
  const after = Buffer.alloc(20);
  for (const [index, value] of [1, 7200, 1800, 86_400, ttls.absent].entries()) after.writeUInt32BE(value, index * 4);
  const names = zone === '' ? ['ns', 'hostmaster'] : [`ns.dns.${zone}`, `hostmaster.${zone}`];
  return { name: zone, type: recordTypes.SOA, ttl: ttls.absent, data: { names, after } };
}

/** What to say to "everything": RFC 8482 §4.2. */
export function minimalAnyRecord(name: string): ResourceRecord {
  return { name, type: recordTypes.HINFO, ttl: ttls.service, data: Buffer.from('\x07RFC8482\x00', 'latin1') };
}

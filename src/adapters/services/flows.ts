import type { Front } from './fronts.ts';

/** What the kernel's table of flows must agree with, for one front that takes UDP or every protocol. */
export interface FlowFront {
  /** Absent: a node port, on any address. */
  readonly address?: string;
  /** Absent: every port. */
  readonly port?: number;
  /** As nft writes them. */
  readonly endpoints: ReadonlySet<string>;
}

/** Undefined for TCP: its connections go on through an endpoint that has been withdrawn, which is what draining wants. */
export function flowFront(front: Front, endpoints: ReadonlySet<string>): FlowFront | undefined {
  if (front.kind === 'any') return { address: front.key, endpoints };
  const [port, protocol, address] = front.key.split(' . ').reverse();
  if (protocol !== 'udp') return undefined;
  return { ...(address === undefined ? {} : { address }), port: Number(port), endpoints };
}

interface Flow {
  /** Where the client sent to. Without a port: ICMP. */
  readonly address: string;
  readonly port?: number;
  /** Who answers. */
  readonly peer: string;
  readonly peerPort?: number;
}

/** What has flows that no end is seen of. An echo request is one as long as somebody goes on with it. */
export function flowProtocols(fronts: readonly FlowFront[]): string[] {
  if (fronts.length === 0) return [];
  return fronts.some(({ port }) => port === undefined) ? ['udp', 'icmp'] : ['udp'];
}

/** Reads `conntrack -L`: key=value pairs, the ones of the request first, those of the answer second. */
export function parseFlows(text: string): Flow[] {
  const flows: Flow[] = [];
  for (const line of text.split('\n')) {
    const values = (key: string) => [...line.matchAll(new RegExp(`\\b${key}=(\\S+)`, 'g'))].map((match) => match[1]);
    const [address] = values('dst');
    const peer = values('src')[1];
    if (address === undefined || peer === undefined) continue;
    const [port] = values('dport');
    const peerPort = values('sport')[1];
    const hasPorts = port !== undefined && peerPort !== undefined;
    flows.push({ address, peer, ...(hasPorts ? { port: Number(port), peerPort: Number(peerPort) } : {}) });
  }
  return flows;
}

/** Arguments of `conntrack -D`, once for all flows of a kind: those of `fronts` that are answered by anyone but their endpoints. */
export function planFlush(fronts: readonly FlowFront[], flows: readonly Flow[]): string[][] {
  const keyOf = (address: string | undefined, port: number | undefined) => `${address ?? '*'} ${port ?? '*'}`;
  const byKey = new Map(fronts.map((front) => [keyOf(front.address, front.port), front]));
  const flushed = new Map<string, string[]>();
  for (const { address, port, peer, peerPort } of flows) {
    const front =
      byKey.get(keyOf(address, port)) ?? byKey.get(keyOf(address, undefined)) ?? byKey.get(keyOf(undefined, port));
    if (!front || front.endpoints.has(front.port === undefined ? peer : `${peer} . ${peerPort}`)) continue;
    const ports = port === undefined ? [] : ['--orig-port-dst', String(port), '--reply-port-src', String(peerPort)];
    flushed.set(`${address} ${port} ${peer} ${peerPort}`, ['--orig-dst', address, '--reply-src', peer, ...ports]);
  }
  return [...flushed.values()];
}

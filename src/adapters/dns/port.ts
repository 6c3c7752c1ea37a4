/** Names for the pods of one node, answered from memory; everything else goes to the host's own resolvers. */
export interface DnsServer {
  /** The whole set of records; answers change at once. */
  apply(zone: DnsZone): void;
  /** Milliseconds-fresh counters for `/metrics`. */
  stats(): { readonly queries: number; readonly forwarded: number; readonly failures: number };
  stop(): Promise<void>;
}

export interface DnsZone {
  /** `cluster.local`, without dots around it. */
  readonly domain: string;
  /** Lower-case name below the domain (`web.shop.svc`) → records. A known name with no address answers NOERROR, empty. */
  readonly names: ReadonlyMap<string, DnsRecords>;
}

export interface DnsRecords {
  /** IPv4 and IPv6 literals. */
  readonly addresses: readonly string[];
  readonly services?: readonly { readonly port: number; readonly target: string }[];
}

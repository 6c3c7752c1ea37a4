/** Names for the pods of one node, answered from memory; everything else goes to the host's own resolvers. */
export interface DnsServer {
  /**
   * All names there are. Resolves when answers have changed: none that is given afterwards knows what is no longer in it.
   * Rejects with HostToolFailed after a deadline; the zone is still wanted then, and answered as soon as that is possible.
   * `revision`: what it is true for, opaque, kept beside it.
   */
  apply(zone: DnsZone, revision?: string): Promise<void>;
  /** The same for what changed since. Before the first `apply` it rejects: a part is not the whole. */
  change(change: DnsZoneChange, revision?: string): Promise<void>;
  /** Counters for `/metrics`, at most a second old. */
  stats(): DnsStats;
  /** What answers in a process of its own goes on answering. */
  stop(): Promise<void>;
}

export interface DnsStats {
  readonly queries: number;
  /** Asked of the host's resolvers, those answered from the cache included. */
  readonly forwarded: number;
  readonly failures: number;
}

export interface DnsZone {
  /** Name of a Service object below the domain, lower case (`web.shop.svc`) → its records. */
  readonly names: ReadonlyMap<string, DnsRecords>;
}

export interface DnsZoneChange {
  readonly set: ReadonlyMap<string, DnsRecords>;
  readonly drop: readonly string[];
}

/** What one Service object is known by. A known name without addresses is answered NOERROR, empty. */
export interface DnsRecords {
  /** IPv4 and IPv6 literals: virtual addresses, or those of the endpoints that serve where it is headless. */
  readonly addresses: readonly string[];
  /** Each address has a name of its own below the service's, and clients may connect to it: they are told to keep nothing. */
  readonly isHeadless?: boolean;
  /** Addresses behind a virtual one: they have names, and their reverse names say whose they are. */
  readonly members?: readonly string[];
  /** Address → `hostname` of its pod, where it has one. Default: the address with dashes, `10-80-0-3`. */
  readonly hostnames?: Readonly<Record<string, string>>;
  /** Those to connect to: of the service, or of the endpoints where it is headless. */
  readonly ports?: readonly DnsPort[];
  /** Address → ports, where an endpoint's differ from `ports`. */
  readonly portsOf?: Readonly<Record<string, readonly DnsPort[]>>;
  /** `web.<stack>.svc`: gives way to a Service object of that name. */
  readonly stackName?: string;
  /** Further names, of which several services may have the same: they share it. Give way to all others. */
  readonly aliases?: readonly string[];
  /** The name is another one for this. */
  readonly externalName?: string;
}

export interface DnsPort {
  readonly name?: string;
  /** Lower case: `tcp`, `udp`. */
  readonly protocol: string;
  readonly port: number;
}

/** Where to listen, UDP and TCP. Port 0 takes a free one (the same for both). */
export interface DnsAddress {
  readonly address: string;
  readonly port: number;
}

/** What does not change with the zone. */
export interface DnsSettings {
  /** `cluster.local`, without dots around it. Before the first zone its names are answered SERVFAIL: unknown is not absent. */
  readonly domain: string;
  /** `main.flotilla.local`: `web.shop.main.flotilla.local` is `web.shop.svc.cluster.local`. */
  readonly gridDomain?: string;
  /** `10-80-0-3.shop.pod` is answered for addresses of this range; reverse names of it are never asked elsewhere. IPv4 CIDR. */
  readonly podRange?: string;
  /** Reverse names of it are never asked elsewhere. IPv4 CIDR. */
  readonly serviceRange?: string;
  /** `address` or `address:port` (IPv6: `[address]:port`). Default: the host's /etc/resolv.conf, followed as it changes. */
  readonly upstreams?: readonly string[];
  /** Default /etc/resolv.conf. */
  readonly resolvConfPath?: string;
}

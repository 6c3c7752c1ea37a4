import type { DnsPort, DnsRecords } from '../port.ts';

/** A Service object as it is looked up. */
export interface ServiceEntry {
  /** `web.shop.svc` */
  readonly name: string;
  readonly records: DnsRecords;
  /** Which address comes first next time. A turn a name: clients ask for A and AAAA by turns, a common one would limp. */
  turn: number;
  /** Answers, made when they are first asked for: record type → whole records. */
  prepared?: Map<number, readonly Buffer[]>;
}

/** What a name below the domain is. */
export type Found =
  | { readonly kind: 'service'; readonly entry: ServiceEntry }
  /** `db-0.db.shop.svc` */
  | { readonly kind: 'endpoint'; readonly entry: ServiceEntry; readonly addresses: readonly string[] }
  /** `_http._tcp.web.shop.svc` */
  | { readonly kind: 'port'; readonly entry: ServiceEntry; readonly name: string; readonly protocol: string }
  /** Something is below it. RFC 8020. */
  | { readonly kind: 'parent' };

/** All names of the zone, changed one by one: a change costs what changed, not what there is. */
export class ZoneIndex {
  readonly #services = new Map<string, ServiceEntry>();
  /** Names that give way → who claims them, sorted by their own names. */
  readonly #stackNames = new Map<string, ServiceEntry[]>();
  readonly #aliases = new Map<string, ServiceEntry[]>();
  /** `shop.svc` → how many names are below it. */
  readonly #parents = new Map<string, number>([
    ['svc', 1],
    ['pod', 1],
  ]);
  /** Address → whose it is, sorted by their own names. */
  readonly #owners = new Map<string, ServiceEntry[]>();

  get size(): number {
    return this.#services.size;
  }

  entries(): Iterable<ServiceEntry> {
    return this.#services.values();
  }

  set(name: string, records: DnsRecords): void {
    const before = this.#services.get(name);
    if (before) this.#unlink(before);
    const turn = before?.turn ?? Math.floor(Math.random() * 1000);
    const entry: ServiceEntry = { name, records, turn };
    this.#services.set(name, entry);
    this.#count(name, 1);
    const { stackName, aliases = [], addresses, members = [] } = records;
    if (stackName !== undefined) claim(this.#stackNames, stackName, entry);
    for (const alias of aliases) claim(this.#aliases, alias, entry);
    for (const one of [...aliases, ...(stackName === undefined ? [] : [stackName])]) this.#count(one, 1);
    for (const address of addresses) claim(this.#owners, address, entry);
    for (const address of members) claim(this.#owners, address, entry);
  }

  drop(name: string): void {
    const entry = this.#services.get(name);
    if (!entry) return;
    this.#services.delete(name);
    this.#unlink(entry);
  }

  /** `below`: lower case, without the domain, `web.shop.svc`. */
  find(below: string): Found | undefined {
    const entry = this.#claimant(below);
    if (entry) return { kind: 'service', entry };
    const [first, rest] = cut(below);
    const owner = rest === '' ? undefined : this.#claimant(rest);
    if (owner) {
      const addresses = addressesOf(owner.records, first);
      if (addresses.length > 0) return { kind: 'endpoint', entry: owner, addresses };
      const isProtocol = first.startsWith('_') && portsIn(owner.records).some((port) => `_${port.protocol}` === first);
      if (isProtocol) return { kind: 'parent' };
    }
    const [second, last] = cut(rest);
    const asked = first.startsWith('_') && second.startsWith('_') ? this.#claimant(last) : undefined;
    if (asked) {
      const [name, protocol] = [first.slice(1), second.slice(1)];
      const has = portsIn(asked.records).some((port) => port.name === name && port.protocol === protocol);
      if (has) return { kind: 'port', entry: asked, name, protocol };
    }
    return this.#parents.has(below) ? { kind: 'parent' } : undefined;
  }

  /** Name below the domain of an address: of a service, or of one endpoint. A headless service that names it comes first. */
  ownerOf(address: string): string | undefined {
    const owners = this.#owners.get(address);
    if (!owners) return undefined;
    const virtual = owners.find(({ records }) => !records.isHeadless && records.addresses.includes(address));
    if (virtual) return virtual.name;
    const named = owners.find(({ records }) => records.hostnames?.[address] !== undefined);
    const best = named ?? owners.find(({ records }) => records.isHeadless) ?? owners[0];
    return best && `${endpointLabel(best.records, address)}.${best.name}`;
  }

  /** Own names first, then those of stacks, then aliases, which services of one namespace share. */
  #claimant(name: string): ServiceEntry | undefined {
    const own = this.#services.get(name) ?? this.#stackNames.get(name)?.[0];
    if (own) return own;
    const [first, ...others] = this.#aliases.get(name) ?? [];
    const sharing = others.filter((one) => first && namespaceOf(one) === namespaceOf(first));
    return first && sharing.length > 0 ? shared([first, ...sharing]) : first;
  }

  #unlink(entry: ServiceEntry): void {
    const { stackName, aliases = [], addresses, members = [] } = entry.records;
    this.#count(entry.name, -1);
    if (stackName !== undefined) release(this.#stackNames, stackName, entry);
    for (const alias of aliases) release(this.#aliases, alias, entry);
    for (const one of [...aliases, ...(stackName === undefined ? [] : [stackName])]) this.#count(one, -1);
    for (const address of addresses) release(this.#owners, address, entry);
    for (const address of members) release(this.#owners, address, entry);
  }

  #count(name: string, change: 1 | -1): void {
    for (let [, parent] = cut(name); parent !== ''; [, parent] = cut(parent)) {
      const count = (this.#parents.get(parent) ?? 0) + change;
      if (count === 0) this.#parents.delete(parent);
      else this.#parents.set(parent, count);
    }
  }
}

/** Ports of any of its endpoints. */
function portsIn({ ports = [], portsOf }: DnsRecords): readonly DnsPort[] {
  return portsOf === undefined ? ports : [...ports, ...Object.values(portsOf).flat()];
}

/** First label of the name of one endpoint: its pod's hostname, else the address with dashes. */
export function endpointLabel(records: DnsRecords, address: string): string {
  return records.hostnames?.[address] ?? address.replaceAll(/[.:]/g, '-');
}

function addressesOf(records: DnsRecords, label: string): string[] {
  const behind = records.isHeadless ? records.addresses : (records.members ?? []);
  return behind.filter((address) => endpointLabel(records, address) === label);
}

function shared(entries: readonly ServiceEntry[]): ServiceEntry {
  const of = (pick: (records: DnsRecords) => readonly string[]) => [
    ...new Set(entries.flatMap(({ records }) => pick(records))),
  ];
  const [first] = entries;
  const records: DnsRecords = {
    addresses: of((one) => one.addresses),
    isHeadless: entries.some((one) => one.records.isHeadless),
    ...(first?.records.ports ? { ports: first.records.ports } : {}),
  };
  return { name: first?.name ?? '', records, turn: Math.floor(Math.random() * 1000) };
}

function namespaceOf(entry: ServiceEntry): string {
  return cut(entry.name)[1];
}

function claim(map: Map<string, ServiceEntry[]>, name: string, entry: ServiceEntry): void {
  const others = map.get(name);
  if (!others) map.set(name, [entry]);
  else if (!others.includes(entry)) {
    others.push(entry);
    others.sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}

function release(map: Map<string, ServiceEntry[]>, name: string, entry: ServiceEntry): void {
  const left = (map.get(name) ?? []).filter((one) => one !== entry);
  if (left.length === 0) map.delete(name);
  else map.set(name, left);
}

/** First label, and the rest. */
function cut(name: string): [string, string] {
  const dot = name.indexOf('.');
  return dot < 0 ? [name, ''] : [name.slice(0, dot), name.slice(dot + 1)];
}

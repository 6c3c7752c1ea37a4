import type { DnsSettings } from '../port.ts';

/** Where a name belongs. */
export type Place =
  /** Of ours: `below` is what the zone knows it by; undefined where nothing can be. `zone`: whose SOA denies it. */
  | { readonly kind: 'ours'; readonly zone: string; readonly below: string | undefined }
  /** An address asked for its name; `isOurs`: of our ranges, never to be asked elsewhere. */
  | { readonly kind: 'reverse'; readonly zone: string; readonly address: string; readonly isOurs: boolean }
  | { readonly kind: 'elsewhere' };

/** Sorts names: which are ours, and by which form. Pure. */
export class Places {
  readonly #domain: string;
  readonly #gridDomain: string | undefined;
  /** `flotilla.local`: names of other grids do not exist here. */
  readonly #gridRoot: string | undefined;
  readonly #podRange: Ipv4Range | undefined;
  readonly #ranges: readonly Ipv4Range[];

  constructor(settings: DnsSettings) {
    this.#domain = settings.domain;
    this.#gridDomain = settings.gridDomain;
    this.#gridRoot = settings.gridDomain?.slice(settings.gridDomain.indexOf('.') + 1);
    this.#podRange = settings.podRange === undefined ? undefined : parseRange(settings.podRange);
    this.#ranges = [settings.podRange, settings.serviceRange].flatMap((range) =>
      range === undefined ? [] : [parseRange(range)],
    );
  }

  /**
   * Single labels are ours, and never exist: a search list makes them, and a resolver that answers REFUSED to one ends
   * musl's search. So are `….svc` and `….pod`, which musl asks for as they stand, since they have as many dots as `ndots`.
   */
  find(name: string): Place {
    const inDomain = belowOf(name, this.#domain);
    if (inDomain !== undefined) return { kind: 'ours', zone: this.#domain, below: inDomain };
    if (this.#gridDomain !== undefined && this.#gridRoot !== undefined) {
      const inGrid = belowOf(name, this.#gridDomain);
      if (inGrid !== undefined) return { kind: 'ours', zone: this.#gridDomain, below: inGridForm(inGrid) };
      const isOtherGrid = belowOf(name, this.#gridRoot) !== undefined;
      if (isOtherGrid) {
        const below = name === this.#gridRoot ? '' : undefined;
        return { kind: 'ours', zone: this.#gridRoot, below };
      }
    }
    const last = name.slice(name.lastIndexOf('.') + 1);
    if (last === name) return name === '' ? { kind: 'elsewhere' } : { kind: 'ours', zone: name, below: undefined };
    if (last === 'svc' || last === 'pod') return { kind: 'ours', zone: last, below: name };
    if (last !== 'arpa') return { kind: 'elsewhere' };
    const address = addressOfReverse(name);
    if (address === undefined) return { kind: 'elsewhere' };
    const number = ipv4Number(address);
    const isOurs = number !== undefined && this.#ranges.some((range) => isIn(range, number));
    const zone = name.split('.').slice(-3).join('.');
    return { kind: 'reverse', zone, address, isOurs };
  }

  /** `10-80-0-3.shop.pod`: its own address, if pods have such. The namespace is not looked at: it would tell nothing new. */
  podAddress(below: string): string | undefined {
    const found = /^(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})\.[a-z0-9-]+\.pod$/.exec(below);
    const address = found?.slice(1).join('.');
    const number = address === undefined ? undefined : ipv4Number(address);
    if (number === undefined || this.#podRange === undefined || !isIn(this.#podRange, number)) return undefined;
    return address;
  }
}

/** '' is the domain itself; undefined: not below it. */
function belowOf(name: string, domain: string): string | undefined {
  if (!name.endsWith(domain)) return undefined;
  if (name.length === domain.length) return '';
  return name[name.length - domain.length - 1] === '.' ? name.slice(0, -domain.length - 1) : undefined;
}

/** `web.shop` → `web.shop.svc`; `web.shop.svc` stays. */
function inGridForm(below: string): string {
  return below === '' || /(^|\.)(svc|pod)$/.test(below) ? below : `${below}.svc`;
}

interface Ipv4Range {
  readonly base: number;
  readonly size: number;
}

function parseRange(cidr: string): Ipv4Range {
  const [address = '', length = '32'] = cidr.split('/');
  const size = 2 ** (32 - Number(length));
  const number = ipv4Number(address);
  if (number === undefined || !Number.isInteger(size) || size < 1) throw new Error(`not an IPv4 range: ${cidr}`);
  return { base: number - (number % size), size };
}

function isIn({ base, size }: Ipv4Range, number: number): boolean {
  return number >= base && number < base + size;
}

function ipv4Number(address: string): number | undefined {
  const bytes = address.split('.').map((part) => (/^(0|[1-9]\d{0,2})$/.test(part) ? Number(part) : 256));
  if (bytes.length !== 4 || bytes.some((byte) => byte > 255)) return undefined;
  return bytes.reduce((number, byte) => number * 256 + byte, 0);
}

/** `2.0.80.10.in-addr.arpa` → `10.80.0.2`; the IPv6 form → eight groups, shortened as clients write them. */
function addressOfReverse(name: string): string | undefined {
  const four = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/.exec(name);
  if (four) return four.slice(1).reverse().join('.');
  const six = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name)?.[1];
  if (six === undefined) return undefined;
  const digits = six.replaceAll('.', '').split('').reverse().join('');
  const groups = digits.match(/.{4}/g)?.map((group) => group.replace(/^0{1,3}/, '')) ?? [];
  return shorten(groups);
}

/** RFC 5952: the longest run of two or more zero groups is `::`. */
function shorten(groups: readonly string[]): string {
  let best = { start: -1, length: 1 };
  for (let start = 0; start < groups.length; start++) {
    let end = start;
    while (groups[end] === '0') end++;
    if (end - start > best.length) best = { start, length: end - start };
  }
  if (best.start < 0) return groups.join(':');
  return `${groups.slice(0, best.start).join(':')}::${groups.slice(best.start + best.length).join(':')}`;
}

/** Addresses from `first` to `last`, both included; unsigned 32-bit numbers. IPv4. */
export interface AddressRange {
  readonly first: number;
  readonly last: number;
}

/** `10.80.0.1` as a number; undefined when it is no IPv4 address. Leading zeros are refused: some read them as octal. */
export function parseIPv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

export function formatIPv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

/** An IPv4 network: its addresses, and how many bits they have in common. */
export interface Network extends AddressRange {
  readonly prefixLength: number;
}

/** `10.80.0.0/12`; undefined when it is none. Bits of the host are ignored: ask `isExact` where they must not be there. */
export function parseCidr(text: string): Network | undefined {
  const [address = '', length = '', ...rest] = text.split('/');
  const value = parseIPv4(address);
  if (value === undefined || rest.length > 0 || !/^(0|[1-9]\d?)$/.test(length) || Number(length) > 32) return undefined;
  const prefixLength = Number(length);
  const size = 2 ** (32 - prefixLength);
  const first = value - (value % size);
  return { first, last: first + size - 1, prefixLength };
}

export function formatCidr({ first, prefixLength }: Pick<Network, 'first' | 'prefixLength'>): string {
  return `${formatIPv4(first)}/${prefixLength}`;
}

/** Written with its first address: `10.80.0.0/12`, not `10.80.0.1/12`. */
export function isExactCidr(text: string): boolean {
  const network = parseCidr(text);
  return network !== undefined && formatCidr(network) === text;
}

/** A network, `10.0.0.7` alone, or `10.0.0.7-10.0.0.19`; undefined when it is none of them. */
export function parseAddressRange(text: string): AddressRange | undefined {
  if (text.includes('/')) return parseCidr(text);
  const [from = '', to = from, ...rest] = text.split('-');
  const [first, last] = [parseIPv4(from), parseIPv4(to)];
  if (first === undefined || last === undefined || rest.length > 0 || last < first) return undefined;
  return { first, last };
}

export function overlaps(a: AddressRange, b: AddressRange): boolean {
  return a.first <= b.last && b.first <= a.last;
}

export function contains(range: AddressRange, address: number): boolean {
  return address >= range.first && address <= range.last;
}

export function sizeOf({ first, last }: AddressRange): number {
  return last - first + 1;
}

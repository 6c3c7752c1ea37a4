import ipaddr from 'ipaddr.js';

/** Of a valid address. Not by shifts: these would be negative from 128.0.0.0 on. */
function toNumber(address: string): number {
  return address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

function toText(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.');
}

/** A check for many addresses against one CIDR. */
export function createRangeCheck(cidr: string): (address: string) => boolean {
  const [first, size] = parseRange(cidr);
  return (address) => {
    const number = toNumber(address);
    return number >= first && number < first + size;
  };
}

/** Without the network's own and the broadcast address. */
export function hostAddresses(cidr: string): string[] {
  const [first, size] = parseRange(cidr);
  if (size <= 2) return Array.from({ length: size }, (_, index) => toText(first + index));
  return Array.from({ length: size - 2 }, (_, index) => toText(first + index + 1));
}

function parseRange(cidr: string): [first: number, size: number] {
  const [, length] = ipaddr.IPv4.parseCIDR(cidr);
  return [toNumber(ipaddr.IPv4.networkAddressFromCIDR(cidr).toString()), 2 ** (32 - length)];
}

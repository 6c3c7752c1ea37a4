import { BlockList, isIP } from 'node:net';

/** Whether `inner` is a part of `outer` and not all of it; both are CIDRs of either family that have been checked. */
export function isNetworkWithin(inner: string, outer: string): boolean {
  const [address = '', length] = inner.split('/');
  const [base = '', outerLength] = outer.split('/');
  if (isIP(address) !== isIP(base) || Number(length) <= Number(outerLength)) return false;
  const family = isIP(base) === 6 ? 'ipv6' : 'ipv4';
  const list = new BlockList();
  list.addSubnet(base, Number(outerLength), family);
  return list.check(address, family);
}

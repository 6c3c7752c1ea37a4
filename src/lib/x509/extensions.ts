import { isIPv4, isIPv6 } from 'node:net';
import { der, derObjectId, derSequence, derTags } from './der.ts';

/** One extension of a certificate (RFC 5280 §4.1), `value` in DER. */
export function extension(objectId: string, isCritical: boolean, value: Buffer): Buffer {
  const critical = isCritical ? [der(derTags.boolean, Buffer.from([0xff]))] : [];
  return derSequence(derObjectId(objectId), ...critical, der(derTags.octetString, value));
}

/** Names and addresses that a certificate is for. */
export function subjectAltName(hosts: readonly string[]): Buffer {
  return extension('2.5.29.17', false, derSequence(...hosts.map(generalName)));
}

function generalName(host: string): Buffer {
  if (isIPv4(host)) return der(0x87, Buffer.from(host.split('.').map(Number)));
  if (isIPv6(host)) return der(0x87, ipv6Bytes(host));
  return der(0x82, Buffer.from(host, 'ascii'));
}

function ipv6Bytes(address: string): Buffer {
  const plain = new URL(`http://[${address.split('%')[0]}]`).hostname.slice(1, -1); // normalises an IPv4 tail, too
  const [head = '', tail] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail ? tail.split(':') : [];
  const middle = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill('0');
  const bytes = Buffer.alloc(16);
  [...left, ...middle, ...right].forEach(
    (group, index) => void bytes.writeUInt16BE(Number.parseInt(group, 16), index * 2),
  );
  return bytes;
}

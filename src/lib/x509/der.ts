/**
 * The part of DER (ITU-T X.690) that certificates and certificate requests are made of. Written out because the X.509
 * library kept 32 MB of memory and took 200 ms for each certificate; checking certificates is left to OpenSSL.
 */
export const derTags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectId: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** One element: its tag, its contents, and all its bytes. */
export interface DerElement {
  readonly tag: number;
  readonly content: Buffer;
  readonly whole: Buffer;
}

export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const length = content.byteLength;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const digits = length < 0x100 ? [length] : [length >> 8, length & 0xff];
  if (length > 0xffff) throw new Error(`DER element of ${length} bytes`);
  return Buffer.concat([Buffer.from([tag, 0x80 | digits.length, ...digits]), content]);
}

export function derSequence(...parts: readonly Uint8Array[]): Buffer {
  return der(derTags.sequence, ...parts);
}

/** `[n]`, constructed: what follows is whole elements. */
export function derTagged(number: number, ...parts: readonly Uint8Array[]): Buffer {
  return der(0xa0 | number, ...parts);
}

/** A non-negative number, most significant byte first. */
export function derInteger(bytes: Uint8Array): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const digits = first < 0 ? Buffer.from([0]) : bytes.subarray(first);
  return der(derTags.integer, ...((digits[0] ?? 0) & 0x80 ? [Buffer.from([0])] : []), digits);
}

export function derBitString(bytes: Uint8Array, unusedBits = 0): Buffer {
  return der(derTags.bitString, Buffer.from([unusedBits]), bytes);
}

/** Dotted form, such as `1.2.840.10045.4.3.2`. */
export function derObjectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const digits = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      digits.unshift(0x80 | (left & 0x7f));
    bytes.push(...digits);
  }
  return der(derTags.objectId, Buffer.from(bytes));
}

/** RFC 5280 §4.1.2.5: UTCTime until 2049, GeneralizedTime afterwards. */
export function derTime(wallMs: number): Buffer {
  const digits = new Date(wallMs).toISOString().replace(/[-:T]/g, '').replace(/\..*/, 'Z');
  const year = Number(digits.slice(0, 4));
  return year < 2050
    ? der(derTags.utcTime, Buffer.from(digits.slice(2)))
    : der(derTags.generalizedTime, Buffer.from(digits));
}

/** A name of certificates; the order given is the order written. */
export function derName(parts: readonly (readonly [attribute: 'O' | 'OU' | 'CN', value: string])[]): Buffer {
  const objectIds = { CN: '2.5.4.3', O: '2.5.4.10', OU: '2.5.4.11' };
  const attributes = parts.map(([attribute, value]) =>
    der(derTags.set, derSequence(derObjectId(objectIds[attribute]), der(derTags.utf8String, Buffer.from(value)))),
  );
  return derSequence(...attributes);
}

/** The elements that `bytes` consists of. Throws a plain Error on anything that is not DER with lengths below 64 KiB. */
export function readDer(bytes: Buffer): DerElement[] {
  const elements: DerElement[] = [];
  for (let at = 0; at < bytes.byteLength; ) {
    const tag = bytes[at];
    const short = bytes[at + 1];
    if (tag === undefined || short === undefined || (tag & 0x1f) === 0x1f) throw new Error('malformed DER');
    const digits = short & 0x80 ? short & 0x7f : 0;
    if (short === 0x80 || digits > 2 || at + 2 + digits > bytes.byteLength) throw new Error('malformed DER length');
    const length = digits === 0 ? short : bytes.readUIntBE(at + 2, digits);
    const start = at + 2 + digits;
    const end = start + length;
    if (end > bytes.byteLength) throw new Error('truncated DER');
    elements.push({ tag, content: bytes.subarray(start, end), whole: bytes.subarray(at, end) });
    at = end;
  }
  return elements;
}

/** ecdsa-with-SHA256, the one signature algorithm of what is signed here (RFC 5758 §3.2). */
export const ecdsaWithSha256 = derSequence(derObjectId('1.2.840.10045.4.3.2'));

export function toPem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

/** Undefined when there is no block with that label. */
export function fromPem(label: string, text: string): Buffer | undefined {
  const found = new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]+)-----END ${label}-----`).exec(text);
  return found?.[1] === undefined ? undefined : Buffer.from(found[1], 'base64');
}

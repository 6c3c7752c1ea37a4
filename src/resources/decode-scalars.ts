import { isQuantity, quantityPattern } from './quantity.ts';

/** A value of the wrong type; its message is Go's, which clients know. */
export class UnmarshalError extends Error {}

export function checkedBase64(value: string): string {
  // The value itself stays out of the message: it is a secret's.
  if (!/^[A-Za-z0-9+/\r\n]*={0,2}[\r\n]*$/.test(value) || value.replace(/[\r\n]/g, '').length % 4 !== 0) {
    throw new UnmarshalError('illegal base64 data');
  }
  return value;
}

const rfc3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

export function checkedTime(value: string): string {
  if (rfc3339.test(value) && !Number.isNaN(Date.parse(value))) return value;
  const quoted = JSON.stringify(value);
  throw new UnmarshalError(
    `parsing time ${quoted} as "2006-01-02T15:04:05Z07:00": cannot parse ${quoted} as an RFC 3339 time`,
  );
}

export function checkedQuantity(value: number | string): string {
  const text = String(value);
  if (isQuantity(text)) return text;
  throw new UnmarshalError(
    `quantities must match the regular expression '${quantityPattern}': ${JSON.stringify(text)}`,
  );
}

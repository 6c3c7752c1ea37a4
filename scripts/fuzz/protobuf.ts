import { groupVersionOf } from '../../src/resources/decode.ts';
import type { Kind } from '../../src/resources/kind.ts';
import type { FieldType, JsonObject, Message } from '../../src/resources/schema.ts';

/** The object as kubectl would send it: `k8s\0`, then Unknown { typeMeta, raw }. Numbers and texts only as far as they go. */
export function encodeProtobuf(kind: Kind, object: JsonObject): Buffer {
  const typeMeta = Buffer.concat([
    bytesField(1, Buffer.from(groupVersionOf(kind))),
    bytesField(2, Buffer.from(kind.kind)),
  ]);
  const raw = encodeMessage(kind.message, object);
  return Buffer.concat([Buffer.from('k8s\0'), bytesField(1, typeMeta), bytesField(2, raw)]);
}

function encodeMessage(type: Message, object: JsonObject): Buffer {
  const parts: Buffer[] = [];
  for (const { number, name, type: of } of type.fields.values()) {
    const value = object[name];
    if (number > 0 && value !== undefined && value !== null) parts.push(encodeField(number, of, value));
  }
  return Buffer.concat(parts);
}

function encodeField(number: number, type: FieldType, value: unknown): Buffer {
  if (typeof type !== 'string') {
    if (type.form === 'list') return Buffer.concat(listOf(value).map((item) => encodeField(number, type.of, item)));
    if (type.form === 'message') return bytesField(number, encodeMessage(type, objectOf(value)));
    return Buffer.concat(
      Object.entries(objectOf(value)).map(([key, item]) =>
        bytesField(number, Buffer.concat([bytesField(1, Buffer.from(key)), encodeField(2, type.of, item)])),
      ),
    );
  }
  if (typeof value === 'number') return Buffer.concat([varint(number << 3), varint(value)]);
  if (typeof value === 'boolean') return Buffer.concat([varint(number << 3), varint(value ? 1 : 0)]);
  return bytesField(number, Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));
}

function bytesField(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  let rest = BigInt.asUintN(64, BigInt(Math.trunc(value)));
  const bytes: number[] = [];
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}

function objectOf(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null ? (value as JsonObject) : {};
}

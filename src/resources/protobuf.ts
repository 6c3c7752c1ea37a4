/**
 * Kubernetes' protobuf bodies → the JSON form of the same object. Envelope: 4 bytes `k8s\0`, then
 * `Unknown { 1 typeMeta { 1 apiVersion, 2 kind }, 2 raw, 3 contentEncoding, 4 contentType }`; `raw` is the message of the
 * kind, proto2. Clients write zero values of fields that are no pointers: those are dropped, as Go's `omitempty` would.
 */
import { badRequest } from './api-error.ts';
import {
  cannotHandle,
  checkType,
  type Decodable,
  type DecodeContext,
  type Decoded,
  type DecodeOptions,
  decodeValue,
  finish,
  groupVersionOf,
  unknownField,
} from './decode.ts';
import { isEmpty } from './json.ts';
import { ProtobufReader } from './protobuf-reader.ts';
import { type Field, type FieldType, field, type JsonObject, type Message, message, type Scalar } from './schema.ts';

const typeMeta = message('TypeMeta', { apiVersion: field(1, 'string'), kind: field(2, 'string') });

/** Whether a body starts with Kubernetes' protobuf magic. */
export function isKubernetesProtobuf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0x6b && bytes[1] === 0x38 && bytes[2] === 0x73 && bytes[3] === 0;
}

/** Throws ApiError 400, as decodeJson does. */
export function decodeProtobuf<T>(
  decodable: Decodable & { readonly type?: T },
  bytes: Uint8Array,
  options: DecodeOptions,
): Decoded<T> {
  if (!isKubernetesProtobuf(bytes)) throw badRequest('the body does not start with the bytes "k8s\\0"');
  const context: DecodeContext = { strictness: options.strictness, path: [], problems: [] };
  let object: JsonObject;
  try {
    const envelope = readEnvelope(bytes.subarray(4));
    checkType(decodable, envelope.type);
    object = readMessage(context, decodable.message, new ProtobufReader(envelope.raw));
  } catch (error) {
    if (error instanceof RangeError) throw cannotHandle(decodable, `protobuf: ${error.message}`);
    throw error;
  }
  finish(decodable, object, context);
  // Once more through the JSON side: times, quantities and numbers are held to the same rules.
  const { object: result } = decodeValue(decodable, { ...object, apiVersion: groupVersionOf(decodable) }, options);
  return { object: result, warnings: context.problems };
}

function readEnvelope(bytes: Uint8Array): { type: JsonObject; raw: Uint8Array } {
  const reader = new ProtobufReader(bytes);
  const ignored: DecodeContext = { strictness: 'Ignore', path: [], problems: [] };
  let type: JsonObject = {};
  let raw: Uint8Array = new Uint8Array();
  while (!reader.isAtEnd()) {
    const { number, wire } = reader.tag();
    if (number === 1 && wire === 2) type = readMessage(ignored, typeMeta, new ProtobufReader(reader.bytes()));
    else if (number === 2 && wire === 2) raw = reader.bytes();
    else reader.skip(wire);
  }
  return { type, raw };
}

function readMessage(context: DecodeContext, type: Message, reader: ProtobufReader): JsonObject {
  const result: JsonObject = {};
  while (!reader.isAtEnd()) {
    const { number, wire } = reader.tag();
    const known = type.byNumber.get(number);
    const inlined = known ? undefined : type.inlineByNumber.get(number);
    if (known) readField(context, known, reader, wire, result);
    else if (inlined && wire === 2)
      Object.assign(result, readMessage(context, inlined, new ProtobufReader(reader.bytes())));
    else {
      unknownField(context, `#${number}`);
      reader.skip(wire);
    }
  }
  return result;
}

function readField(context: DecodeContext, one: Field, reader: ProtobufReader, wire: number, result: JsonObject): void {
  const { name, type } = one;
  context.path.push(name);
  if (typeof type !== 'string' && type.form === 'list') {
    const items = (result[name] as unknown[] | undefined) ?? [];
    result[name] = items;
    if (wire === 2 && isVarint(type.of)) {
      const packed = new ProtobufReader(reader.bytes());
      while (!packed.isAtEnd()) items.push(readValue(context, type.of, packed, 0));
    } else {
      context.path.push(items.length);
      items.push(readValue(context, type.of, reader, wire));
      context.path.pop();
    }
  } else if (typeof type !== 'string' && type.form === 'map') {
    const entries = (result[name] as JsonObject | undefined) ?? {};
    result[name] = entries;
    readEntry(context, type.of, new ProtobufReader(reader.bytes()), entries);
  } else {
    const value = readValue(context, type, reader, wire);
    const isMessage = typeof type !== 'string';
    if (value !== undefined && (one.optional || isMessage || !isEmpty(value))) result[name] = value;
  }
  context.path.pop();
}

function readEntry(context: DecodeContext, type: FieldType, reader: ProtobufReader, entries: JsonObject): void {
  let key = '';
  let value: unknown = typeof type === 'string' ? '' : {};
  while (!reader.isAtEnd()) {
    const { number, wire } = reader.tag();
    if (number === 1 && wire === 2) key = reader.string();
    else if (number === 2) value = readValue(context, type, reader, wire);
    else reader.skip(wire);
  }
  Object.defineProperty(entries, key, { value, enumerable: true, configurable: true, writable: true });
}

function isVarint(type: FieldType): boolean {
  return type === 'int32' || type === 'int64' || type === 'bool';
}

function readValue(context: DecodeContext, type: FieldType, reader: ProtobufReader, wire: number): unknown {
  if (typeof type !== 'string') {
    if (type.form !== 'message') throw new RangeError(`a list inside a list at ${context.path.join('.')}`);
    expectWire(context, wire, 2);
    return readMessage(context, type, new ProtobufReader(reader.bytes()));
  }
  if (isVarint(type)) {
    expectWire(context, wire, 0);
    const value = reader.int64();
    return type === 'bool' ? value !== 0 : value;
  }
  // What an unsupported field holds does not matter, only whether it asks for something.
  if (type === 'any' && wire !== 2) {
    if (wire === 0) return reader.int64();
    reader.skip(wire);
    return '(protobuf)';
  }
  expectWire(context, wire, 2);
  return readBytes(type, reader);
}

function readBytes(type: Scalar, reader: ProtobufReader): unknown {
  switch (type) {
    case 'bytes':
      return Buffer.from(reader.bytes()).toString('base64');
    case 'time':
    case 'microTime':
      return readTime(new ProtobufReader(reader.bytes()), type);
    case 'quantity':
      return readNumbered(new ProtobufReader(reader.bytes())).get(1) ?? '0';
    case 'intOrString': {
      const parts = readNumbered(new ProtobufReader(reader.bytes()));
      return parts.get(1) === 1 ? (parts.get(3) ?? '') : (parts.get(2) ?? 0);
    }
    case 'fieldsV1': {
      const raw = readNumbered(new ProtobufReader(reader.bytes())).get(1);
      return typeof raw === 'string' && raw !== '' ? parseJson(raw) : {};
    }
    case 'any':
      return reader.bytes().length === 0 ? {} : '(protobuf)';
    default:
      return reader.string();
  }
}

/** Undefined for the zero time, which Kubernetes writes as null. */
function readTime(reader: ProtobufReader, type: Scalar): string | undefined {
  const parts = readNumbered(reader);
  const seconds = Number(parts.get(1) ?? 0);
  const nanos = Number(parts.get(2) ?? 0);
  if (seconds === 0 && nanos === 0) return undefined;
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) throw new RangeError(`time of ${seconds} seconds is out of range`);
  const text = date.toISOString().slice(0, 19);
  return type === 'time' ? `${text}Z` : `${text}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z`;
}

/** The plain values of a small message, by number. */
function readNumbered(reader: ProtobufReader): Map<number, string | number> {
  const parts = new Map<number, string | number>();
  while (!reader.isAtEnd()) {
    const { number, wire } = reader.tag();
    if (wire === 0) parts.set(number, reader.int64());
    else if (wire === 2) parts.set(number, reader.string());
    else reader.skip(wire);
  }
  return parts;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RangeError('fieldsV1 is not JSON');
  }
}

function expectWire(context: DecodeContext, wire: number, wanted: number): void {
  if (wire !== wanted) throw new RangeError(`wrong wire type ${wire} at ${context.path.join('.')}`);
}

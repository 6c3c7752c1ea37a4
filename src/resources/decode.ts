import { ApiError, badRequest } from './api-error.ts';
import { checkedBase64, checkedQuantity, checkedTime, UnmarshalError } from './decode-scalars.ts';
import { findDuplicateKeys, inOrderOfText } from './duplicate-keys.ts';
import { isDeeperThan, isObject, pathText } from './json.ts';
import type { FieldType, JsonObject, Message, Scalar } from './schema.ts';

/** What to do with fields that the table does not have: refuse, keep quiet about them, or warn. Unknown ones are dropped. */
export type Strictness = 'Strict' | 'Warn' | 'Ignore';

export interface DecodeOptions {
  readonly strictness: Strictness;
  /** Found before, as `duplicate field "a"`: treated like unknown fields. */
  readonly problems?: readonly string[];
}

/** What can be decoded: a kind, or a body such as DeleteOptions. */
export interface Decodable {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly message: Message;
  /** Further apiVersions under which clients send it. */
  readonly aliases?: readonly string[];
}

export interface Decoded<T> {
  readonly object: T;
  /** For `Warning` headers. */
  readonly warnings: string[];
}

/** Collects what is wrong on the way; `Unmarshal` errors are thrown, unknown fields are gathered. */
export interface DecodeContext {
  readonly strictness: Strictness;
  readonly path: (string | number)[];
  readonly problems: string[];
}

/** Beyond this many problems nobody reads on. */
const maxProblems = 100;

/** Throws ApiError 400. Gives a new object in which only known fields with the right types are left; null means absent. */
export function decodeJson<T>(
  decodable: Decodable & { readonly type?: T },
  text: string | Uint8Array,
  options: DecodeOptions,
): Decoded<T> {
  const source = typeof text === 'string' ? text : decodeUtf8(text, decodable);
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (error) {
    throw unrecognized(decodable, `json parse error: ${error instanceof Error ? error.message : String(error)}`);
  }
  const duplicates = options.strictness === 'Ignore' ? [] : findDuplicateKeys(source);
  if (duplicates.length === 0) return decode(decodable, value, options, []);
  const { object, warnings } = decode<T>(decodable, value, { strictness: 'Warn' }, []);
  const unknown = new Map(warnings.map((sentence) => [sentence.slice('unknown field "'.length, -1), sentence]));
  const doubled = new Map(duplicates.map((path) => [path, duplicateField(path)]));
  const problems = inOrderOfText(source, unknown, doubled);
  if (options.strictness === 'Strict') throw strictError(decodable, problems);
  return { object, warnings: problems };
}

/** The same for a value that was parsed already (from YAML, or the result of a patch). It is not changed. */
export function decodeValue<T>(
  decodable: Decodable & { readonly type?: T },
  value: unknown,
  options: DecodeOptions,
): Decoded<T> {
  return decode(decodable, value, options, options.strictness === 'Ignore' ? [] : (options.problems ?? []));
}

function decode<T>(
  decodable: Decodable & { readonly type?: T },
  value: unknown,
  options: DecodeOptions,
  problems: readonly string[],
): Decoded<T> {
  if (!isObject(value)) throw unrecognized(decodable, `the body is ${describe(value)}, not an object`);
  checkType(decodable, value);
  const context: DecodeContext = {
    strictness: options.strictness,
    path: [],
    problems: [...problems],
  };
  try {
    const object = decodeMessage(context, decodable.message, value);
    return { object: finish(decodable, object, context) as T, warnings: context.problems };
  } catch (error) {
    if (error instanceof UnmarshalError) throw cannotHandle(decodable, error.message);
    throw error;
  }
}

/** As it stands among the problems of a body. */
export function duplicateField(path: string): string {
  return `duplicate field "${path}"`;
}

/** Type and version stand first, as everybody writes them; problems become an error when strict. */
export function finish(decodable: Decodable, object: JsonObject, context: DecodeContext): JsonObject {
  if (context.strictness === 'Strict' && context.problems.length > 0) {
    throw strictError(decodable, context.problems);
  }
  const { apiVersion: _apiVersion, kind: _kind, ...rest } = object;
  const result: JsonObject = { apiVersion: groupVersionOf(decodable), kind: decodable.kind, ...rest };
  if (decodable.message.fields.has('metadata')) result.metadata ??= {};
  return result;
}

function strictError(decodable: Decodable, problems: readonly string[]): ApiError {
  return cannotHandle(decodable, `strict decoding error: ${problems.join(', ')}`);
}

export function cannotHandle(decodable: Decodable, why: string): ApiError {
  const { version, kind } = decodable;
  return badRequest(`${kind} in version "${version}" cannot be handled as a ${kind}: ${why}`);
}

function unrecognized(decodable: Decodable, why: string): ApiError {
  return badRequest(
    `the object provided is unrecognized (must be of type ${decodable.kind}): couldn't get version/kind; ${why}`,
  );
}

function decodeUtf8(bytes: Uint8Array, decodable: Decodable): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw unrecognized(decodable, 'json parse error: the body is not UTF-8');
  }
}

export function groupVersionOf(decodable: Decodable): string {
  return decodable.group === '' ? decodable.version : `${decodable.group}/${decodable.version}`;
}

/** Type and version of a body must be those of its path, or absent. */
export function checkType(decodable: Decodable, value: JsonObject): void {
  const wanted = groupVersionOf(decodable);
  const { apiVersion = wanted, kind = decodable.kind } = value;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') {
    throw unrecognized(decodable, 'apiVersion and kind must be strings');
  }
  if (kind !== '' && kind !== decodable.kind) {
    throw badRequest(
      `${kind} in version "${apiVersion.slice(apiVersion.indexOf('/') + 1)}" cannot be handled as a ${decodable.kind}: ` +
        `the path is that of ${decodable.kind}`,
    );
  }
  if (apiVersion !== '' && apiVersion !== wanted && !decodable.aliases?.includes(apiVersion)) {
    throw new ApiError({
      code: 400,
      reason: 'BadRequest',
      message: `the API version in the data (${apiVersion}) does not match the expected API version (${wanted})`,
    });
  }
}

export function decodeMessage(context: DecodeContext, type: Message, value: unknown): JsonObject {
  if (!isObject(value)) throw mismatch(context, value, type);
  const result: JsonObject = {};
  for (const key of Object.keys(value)) {
    const item = value[key];
    const known = type.fields.get(key);
    if (!known) {
      if (context.path.length > 0 || (key !== 'apiVersion' && key !== 'kind')) unknownField(context, key);
      continue;
    }
    if (item === null || item === undefined) continue;
    context.path.push(key);
    const decoded = decodeItem(context, known.type, item, type);
    context.path.pop();
    if (!isEmptyMap(known.type, decoded)) result[key] = decoded;
  }
  return result;
}

/** Such as `data: {}`: the same as none, and not kept, as Go's `omitempty` has it. A message without fields says something. */
function isEmptyMap(type: FieldType, decoded: unknown): boolean {
  return typeof type !== 'string' && type.form === 'map' && isObject(decoded) && Object.keys(decoded).length === 0;
}

function decodeItem(context: DecodeContext, type: FieldType, value: unknown, parent: Message): unknown {
  if (typeof type === 'string') return decodeScalar(context, type, value, parent);
  if (type.form === 'message') {
    if (!isObject(value)) throw mismatch(context, value, type, parent);
    return decodeMessage(context, type, value);
  }
  if (type.form === 'list') {
    if (!Array.isArray(value)) throw mismatch(context, value, type, parent);
    return value.map((item: unknown, index) => {
      context.path.push(index);
      const decoded = item === null ? zeroOf(type.of) : decodeItem(context, type.of, item, parent);
      context.path.pop();
      return decoded;
    });
  }
  if (!isObject(value)) throw mismatch(context, value, type, parent);
  const result: JsonObject = {};
  for (const key of Object.keys(value)) {
    const item = value[key];
    // Assigning it would change the object's prototype instead of adding a key.
    if (key === '__proto__') throw new UnmarshalError(`key "__proto__" is not allowed in ${pathText(context.path)}`);
    context.path.push(key);
    result[key] = item === null || item === undefined ? zeroOf(type.of) : decodeItem(context, type.of, item, parent);
    context.path.pop();
  }
  return result;
}

/** What Go makes of a null inside a list or map. */
function zeroOf(type: FieldType): unknown {
  if (typeof type !== 'string') return type.form === 'list' ? [] : {};
  if (type === 'bool') return false;
  return type === 'int32' || type === 'int64' ? 0 : '';
}

function decodeScalar(context: DecodeContext, type: Scalar, value: unknown, parent: Message): unknown {
  switch (type) {
    case 'string':
      if (typeof value === 'string') return value;
      break;
    case 'bool':
      if (typeof value === 'boolean') return value;
      break;
    case 'int32':
      if (typeof value === 'number' && Number.isInteger(value) && value === (value | 0)) return value;
      break;
    case 'int64':
      if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
      break;
    case 'bytes':
      if (typeof value === 'string') return checkedBase64(value);
      break;
    case 'time':
    case 'microTime':
      if (typeof value === 'string') return checkedTime(value);
      break;
    case 'quantity':
      if (typeof value === 'number' || typeof value === 'string') return checkedQuantity(value);
      break;
    case 'intOrString':
      if (typeof value === 'string') return value;
      if (typeof value === 'number' && value === (value | 0)) return value;
      break;
    case 'fieldsV1':
    case 'any':
      return withoutDepth(context, value);
  }
  throw mismatch(context, value, type, parent);
}

const maxDepth = 64;

function withoutDepth(context: DecodeContext, value: unknown): unknown {
  if (!isDeeperThan(value, maxDepth)) return value;
  throw new UnmarshalError(`${pathText(context.path)} is nested deeper than ${maxDepth} levels`);
}

export function unknownField(context: DecodeContext, name: string): void {
  if (context.strictness === 'Ignore' || context.problems.length >= maxProblems) return;
  context.problems.push(`unknown field "${pathText([...context.path, name])}"`);
}

function mismatch(context: DecodeContext, value: unknown, type: FieldType, parent?: Message): UnmarshalError {
  const names = context.path.filter((part) => typeof part === 'string').join('.');
  const where = parent ? ` field ${parent.name}.${names}` : ' value';
  return new UnmarshalError(`json: cannot unmarshal ${describe(value)} into Go struct${where} of type ${goType(type)}`);
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'number' && !Number.isInteger(value) ? `number ${value}` : typeof value;
}

function goType(type: FieldType): string {
  if (typeof type === 'string') {
    const special: Partial<Record<Scalar, string>> = { bytes: '[]uint8', time: 'v1.Time', intOrString: 'int32' };
    return special[type] ?? type;
  }
  if (type.form === 'message') return `v1.${type.name}`;
  return type.form === 'list' ? `[]${goType(type.of)}` : `map[string]${goType(type.of)}`;
}

import { ApiError, badRequest } from './api-error.ts';
import { isObject, jsonEqual } from './json.ts';
import { refuseDeep } from './merge-patch.ts';

const maxOperations = 10_000;
/** Of everything that `copy` adds, as JSON: copies of copies grow without bound. */
const maxCopiedChars = 3 * 1024 * 1024;

/**
 * RFC 6902. Gives the patched value; `original` is not changed. Throws ApiError 400 for something that is no JSON patch,
 * 422 for one that does not fit: a path that does not exist, a test that fails.
 */
export function applyJsonPatch(original: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw badRequest('a JSON patch is a list of operations');
  if (patch.length > maxOperations) throw badRequest(`a JSON patch has at most ${maxOperations} operations`);
  refuseDeep(patch);
  const document = { root: structuredClone(original), copiedChars: 0 };
  for (const [index, operation] of patch.entries()) applyOperation(document, operation, index);
  return document.root;
}

interface Document {
  root: unknown;
  copiedChars: number;
}

function applyOperation(document: Document, operation: unknown, index: number): void {
  if (!isObject(operation)) throw badRequest(`operation ${index} of the JSON patch is not an object`);
  const { op } = operation;
  const path = pointer(operation.path, `path of operation ${index}`);
  if ((op === 'add' || op === 'replace' || op === 'test') && !Object.hasOwn(operation, 'value')) {
    throw badRequest(`operation ${index} of the JSON patch has no value`);
  }
  const value = structuredClone(operation.value);
  if (op === 'add') add(document, path, value);
  else if (op === 'remove') remove(document, path);
  else if (op === 'replace') replace(document, path, value);
  else if (op === 'test') {
    if (!jsonEqual(get(document, path), value)) throw unfit(`testing value ${String(operation.path)} failed`);
  } else if (op === 'move') move(document, pointer(operation.from, `from of operation ${index}`), path);
  else if (op === 'copy') copy(document, pointer(operation.from, `from of operation ${index}`), path);
  else throw badRequest(`operation ${index} of the JSON patch has an unknown op ${JSON.stringify(op)}`);
}

function replace(document: Document, path: readonly string[], value: unknown): void {
  get(document, path);
  set(document, path, value);
}

function move(document: Document, from: readonly string[], path: readonly string[]): void {
  if (isPrefix(from, path) && from.length < path.length) throw unfit(`cannot move /${from.join('/')} into itself`);
  add(document, path, remove(document, from));
}

function copy(document: Document, from: readonly string[], path: readonly string[]): void {
  const value = structuredClone(get(document, from));
  document.copiedChars += JSON.stringify(value ?? null).length;
  if (document.copiedChars > maxCopiedChars) throw unfit(`the copies are larger than ${maxCopiedChars} characters`);
  add(document, path, value);
}

function isPrefix(left: readonly string[], right: readonly string[]): boolean {
  return left.every((part, index) => part === right[index]);
}

function pointer(text: unknown, what: string): string[] {
  if (typeof text !== 'string' || (text !== '' && !text.startsWith('/'))) {
    throw badRequest(`${what} is ${JSON.stringify(text)}, not a JSON pointer`);
  }
  const parts = text.split('/').slice(1);
  const names = parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (names.includes('__proto__')) throw badRequest(`${what}: key "__proto__" is not allowed`);
  return names;
}

function get(document: Document, path: readonly string[]): unknown {
  return path.reduce((value: unknown, name, depth) => {
    if (Array.isArray(value)) return value[listIndex(value, name, value.length - 1, path)];
    if (isObject(value) && Object.hasOwn(value, name)) return value[name];
    throw missing(path.slice(0, depth + 1));
  }, document.root);
}

function parentOf(document: Document, path: readonly string[]): { parent: unknown; name: string } {
  return { parent: get(document, path.slice(0, -1)), name: path[path.length - 1] ?? '' };
}

function set(document: Document, path: readonly string[], value: unknown): void {
  if (path.length === 0) {
    document.root = value;
    return;
  }
  const { parent, name } = parentOf(document, path);
  if (Array.isArray(parent)) parent[listIndex(parent, name, parent.length - 1, path)] = value;
  else if (isObject(parent)) parent[name] = value;
  else throw missing(path);
}

function add(document: Document, path: readonly string[], value: unknown): void {
  if (path.length === 0) {
    document.root = value;
    return;
  }
  const { parent, name } = parentOf(document, path);
  if (!Array.isArray(parent)) set(document, path, value);
  else parent.splice(name === '-' ? parent.length : listIndex(parent, name, parent.length, path), 0, value);
}

function remove(document: Document, path: readonly string[]): unknown {
  const old = get(document, path);
  if (path.length === 0) throw unfit('the whole object cannot be removed');
  const { parent, name } = parentOf(document, path);
  if (Array.isArray(parent)) parent.splice(listIndex(parent, name, parent.length - 1, path), 1);
  else if (isObject(parent)) delete parent[name];
  return old;
}

function listIndex(list: readonly unknown[], name: string, max: number, path: readonly string[]): number {
  const index = /^(0|[1-9]\d{0,8})$/.test(name) ? Number(name) : -1;
  if (index < 0 || index > max) throw unfit(`index ${name} of /${path.join('/')} is not in a list of ${list.length}`);
  return index;
}

function missing(path: readonly string[]): ApiError {
  return unfit(`/${path.join('/')} does not exist`);
}

function unfit(why: string): ApiError {
  return new ApiError({
    code: 422,
    reason: 'Invalid',
    message: `the server rejected our request due to an error in our request: ${why}`,
  });
}

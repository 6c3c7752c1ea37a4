import { badRequest } from './api-error.ts';
import { isDeeperThan, isObject, ownValue } from './json.ts';
import type { JsonObject } from './schema.ts';

/** RFC 7386: null deletes, objects merge, everything else replaces. `original` and `patch` are not changed. */
export function applyMergePatch(original: unknown, patch: unknown): unknown {
  refuseDeep(patch);
  return merge(original, patch);
}

function merge(original: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return structuredClone(patch);
  const result: JsonObject = isObject(original) ? { ...original } : {};
  for (const [key, value] of Object.entries(patch)) {
    refusePrototype(key);
    if (value === null) delete result[key];
    else result[key] = merge(ownValue(result, key), value);
  }
  return result;
}

/** Assigning that key would change an object's prototype instead of adding a key. */
export function refusePrototype(key: string): void {
  if (key === '__proto__') throw badRequest('key "__proto__" is not allowed in a patch');
}

const maxDepth = 200;

/** Merging calls itself for each level: too many would end the stack. */
export function refuseDeep(patch: unknown): void {
  if (isDeeperThan(patch, maxDepth)) throw badRequest(`the patch is nested deeper than ${maxDepth} levels`);
}

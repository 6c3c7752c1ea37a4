import { FlotillaError } from '../lib/errors.ts';
import { type Condition, type Operation, storeLimits } from './port.ts';

/** What a condition or an operation weighs beside its key and value: room for etcd's framing and key prefix. */
const framingBytes = 64;
const legalKey = /^\/[\x20-\x7e]+$/;

/** Throws StoreLimit beyond `storeLimits`; a bad or repeated key is a bug of the caller and a plain Error. */
export function checkCommit(conditions: readonly Condition[], operations: readonly Operation[]): void {
  const count = Math.max(operations.length, conditions.length);
  if (count > storeLimits.operationsPerCommit) {
    throw new FlotillaError(
      'StoreLimit',
      `a commit of ${count} operations exceeds the limit of ${storeLimits.operationsPerCommit}`,
      { hint: 'split the change into several commits' },
    );
  }
  let bytes = 0;
  let watched = 0;
  for (const condition of conditions) {
    checkKey(condition.key);
    bytes += condition.key.length + framingBytes;
  }
  const seen = operations.length > 1 ? new Set<string>() : undefined;
  for (const operation of operations) {
    checkKey(operation.key);
    if (seen?.has(operation.key)) throw new Error(`store: key ${operation.key} appears twice in one commit`);
    seen?.add(operation.key);
    if (operation.key.startsWith('/o/')) watched++;
    bytes += operation.key.length + framingBytes;
    if (operation.type === 'put') {
      bytes += operation.value.byteLength;
      const { ttlSeconds } = operation;
      if (ttlSeconds !== undefined && !(Number.isInteger(ttlSeconds) && ttlSeconds > 0)) {
        throw new Error(`store: ttlSeconds of ${operation.key} is ${ttlSeconds}, not a positive integer`);
      }
    }
  }
  if (watched > 1) throw new Error(`store: ${watched} watched objects in one commit, at most 1 may be`);
  if (bytes > storeLimits.commitBytes) {
    const about = operations[0]?.key ?? conditions[0]?.key ?? '';
    throw new FlotillaError(
      'StoreLimit',
      `a commit of ${bytes} bytes (${about}) exceeds the limit of ${storeLimits.commitBytes} bytes`,
      { hint: 'make the object smaller' },
    );
  }
}

export function checkKey(key: string): void {
  if (key.length > storeLimits.keyBytes) {
    throw new FlotillaError(
      'StoreLimit',
      `key ${key.slice(0, 60)}… of ${key.length} bytes exceeds the limit of ${storeLimits.keyBytes} bytes`,
    );
  }
  if (!legalKey.test(key)) throw new Error(`store: illegal key ${JSON.stringify(key)}`);
}

/** The first string after everything that starts with `prefix` (ASCII). */
export function prefixEnd(prefix: string): string {
  if (prefix === '') return '\x7f';
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

/** A list was asked for at a revision that does not exist yet. */
export function futureRevision(asked: number, newest: number): FlotillaError {
  return new FlotillaError('Invalid', `revision ${asked} is in the future, the newest is ${newest}`, {
    retryable: true,
  });
}

export function storeClosed(): FlotillaError {
  return new FlotillaError('StoreUnavailable', 'the store is closed');
}

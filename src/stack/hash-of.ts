import { createHash } from 'node:crypto';

/** Of the JSON text: objects here are always built in the same order of keys. 32 hexadecimal digits. */
export function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 32);
}

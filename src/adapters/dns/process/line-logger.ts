import { writeSync } from 'node:fs';
import type { LogFields, Logger } from '../../../lib/log.ts';

/** JSON lines on standard error, without a library: this process says a few lines in its life. */
export function createLineLogger(fields: LogFields = {}): Logger {
  const write = (level: string) => (message: string, more?: LogFields) => {
    const plain = Object.entries({ ...fields, ...more }).map(([key, value]) => [
      key,
      value instanceof Error ? value.message : value,
    ]);
    const line = { level, time: new Date().toISOString(), msg: message, role: 'dns', ...Object.fromEntries(plain) };
    try {
      writeSync(2, `${JSON.stringify(line)}\n`);
    } catch {
      // A full disk must not end DNS.
    }
  };
  return {
    debug: () => {},
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    with: (more) => createLineLogger({ ...fields, ...more }),
  };
}

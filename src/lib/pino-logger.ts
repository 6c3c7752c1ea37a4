import { type Logger as Pino, pino, stdTimeFunctions } from 'pino';
import { messageOf } from './errors.ts';
import type { LogFields, Logger } from './log.ts';

export interface PinoLoggerOptions {
  /** `debug`, `info`, `warn` or `error`. Default `info`. */
  readonly level?: string;
  /** Fields of every line, such as `{ role: 'agent' }`. */
  readonly fields?: LogFields;
  /** File descriptor or file name; default standard error. */
  readonly destination?: number | string;
}

/** The logger of long-lived processes. An `error` field is written with its message, code and stack. */
export function createPinoLogger(options: PinoLoggerOptions = {}): Logger {
  const destination = pino.destination({ dest: options.destination ?? 2, sync: true, mkdir: true });
  const root = pino(
    { level: options.level ?? 'info', base: options.fields ?? {}, timestamp: stdTimeFunctions.isoTime },
    destination,
  );
  return wrap(root);
}

function wrap(target: Pino): Logger {
  return {
    debug: (message, fields) => target.debug(plain(fields), message),
    info: (message, fields) => target.info(plain(fields), message),
    warn: (message, fields) => target.warn(plain(fields), message),
    error: (message, fields) => target.error(plain(fields), message),
    with: (fields) => wrap(target.child(plain(fields))),
  };
}

function plain(fields: LogFields = {}): Record<string, unknown> {
  if (!('error' in fields)) return { ...fields };
  const thrown = fields.error;
  const stack = thrown instanceof Error ? thrown.stack : undefined;
  return { ...fields, error: messageOf(thrown), ...(stack ? { stack } : {}) };
}

/**
 * Every failure that a person can cause or must act on. Each code has a paragraph in `docs/errors.md`
 * (a test keeps both equal). Bugs are plain `Error`.
 */
export const errorCodes = [
  'AcmeFailed',
  'BadFile',
  'BadUsage',
  'Canceled',
  'Conflict',
  'DeadlineExceeded',
  'DeployFailed',
  'EngineFailed',
  'EngineTooOld',
  'Forbidden',
  'HostToolFailed',
  'ImagePullFailed',
  'Invalid',
  'NotFound',
  'ProtocolMismatch',
  'StoreCorrupt',
  'StoreLimit',
  'StoreTooNew',
  'StoreUnavailable',
  'Unauthorized',
  'Unavailable',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export interface FlotillaErrorOptions {
  /** The same call may succeed later without anybody changing anything. Default false. */
  readonly retryable?: boolean;
  /** The next step for the reader, an imperative sentence without a full stop. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** Message = what failed, on which object, with which value, and the other side's words. */
export class FlotillaError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: FlotillaErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'FlotillaError';
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.hint = options.hint;
  }
}

/** The message of anything that was thrown, for wrapping: never `[object Object]`. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message;
  return typeof thrown === 'string' ? thrown : JSON.stringify(thrown);
}

export function hasCode(thrown: unknown, code: ErrorCode): thrown is FlotillaError {
  return thrown instanceof FlotillaError && thrown.code === code;
}

import { FlotillaError, messageOf } from '../lib/errors.ts';
import { ApiError } from '../resources/api-error.ts';

/** A failure as Kubernetes' Status, JSON. */
export interface StatusBody {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  readonly metadata: { readonly continue?: string };
  readonly status: 'Success' | 'Failure';
  readonly message?: string;
  readonly reason?: string;
  readonly code?: number;
  readonly details?: object;
}

const head = { kind: 'Status', apiVersion: 'v1', metadata: {} } as const;

export function failureStatus(code: number, reason: string, message: string, details?: object): StatusBody {
  return { ...head, status: 'Failure', message, reason, code, ...(details ? { details } : {}) };
}

/** How a command ended, as `exec` says it on its status channel; clients read the exit code from the causes. */
export function exitStatus(exitCode: number): StatusBody {
  if (exitCode === 0) return { ...head, status: 'Success' };
  const details = { causes: [{ reason: 'ExitCode', message: String(exitCode) }] };
  const message = `command terminated with non-zero exit code: ${exitCode}`;
  return { ...head, status: 'Failure', message, reason: 'NonZeroExitCode', details };
}

/** What was thrown while answering; a bug becomes an InternalError. */
export function statusOf(thrown: unknown): StatusBody {
  if (thrown instanceof ApiError) {
    const { code, reason, message, details, continue: token } = thrown.status;
    const status = failureStatus(code, reason, message, details);
    return token === undefined ? status : { ...status, metadata: { continue: token } };
  }
  const message = messageOf(thrown);
  if (!(thrown instanceof FlotillaError)) return failureStatus(500, 'InternalError', message);
  const [code, reason] = codes[thrown.code] ?? ([500, 'InternalError'] as const);
  return failureStatus(code, reason, thrown.hint === undefined ? message : `${message}: ${thrown.hint}`);
}

const codes: Partial<Record<FlotillaError['code'], readonly [number, string]>> = {
  BadUsage: [400, 'BadRequest'],
  Invalid: [400, 'BadRequest'],
  NotFound: [404, 'NotFound'],
  Conflict: [409, 'Conflict'],
  Unavailable: [503, 'ServiceUnavailable'],
  EngineFailed: [503, 'ServiceUnavailable'],
  StoreUnavailable: [503, 'ServiceUnavailable'],
  DeadlineExceeded: [504, 'Timeout'],
};

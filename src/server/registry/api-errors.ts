import { ApiError } from '../../client/api-error.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { type Kind, resourceNameOf } from '../../resources/kind.ts';
import { StoreCompacted } from '../../store/port.ts';

// Refusals in Kubernetes' own words: its clients compare reasons, its users know the sentences.

export function notFound(kind: Pick<Kind, 'group' | 'plural'>, name: string): ApiError {
  const message = `${resourceNameOf(kind)} "${name}" not found`;
  return new ApiError({ code: 404, reason: 'NotFound', message, details: details(kind, name) });
}

export function alreadyExists(kind: Kind, name: string): ApiError {
  const message = `${resourceNameOf(kind)} "${name}" already exists`;
  return new ApiError({ code: 409, reason: 'AlreadyExists', message, details: details(kind, name) });
}

export const staleMessage =
  'the object has been modified; please apply your changes to the latest version and try again';

export function conflict(kind: Kind, name: string, why: string = staleMessage): ApiError {
  const message = `Operation cannot be fulfilled on ${resourceNameOf(kind)} "${name}": ${why}`;
  return new ApiError({ code: 409, reason: 'Conflict', message, details: details(kind, name) });
}

export function forbidden(
  kind: Pick<Kind, 'group' | 'plural'>,
  name: string | undefined,
  why: string,
  cause?: string,
): ApiError {
  const object = name === undefined || name === '' ? '' : ` "${name}"`;
  const causes = cause === undefined ? {} : { causes: [{ reason: cause, message: why }] };
  return new ApiError({
    code: 403,
    reason: 'Forbidden',
    message: `${resourceNameOf(kind)}${object} is forbidden: ${why}`,
    details: { ...details(kind, name ?? ''), ...causes },
  });
}

export function badRequest(message: string): ApiError {
  return new ApiError({ code: 400, reason: 'BadRequest', message });
}

export function methodNotAllowed(
  message = 'the server does not allow this method on the requested resource',
): ApiError {
  return new ApiError({ code: 405, reason: 'MethodNotAllowed', message });
}

export function unknownPath(): ApiError {
  return new ApiError({
    code: 404,
    reason: 'NotFound',
    message: 'the server could not find the requested resource',
    details: {},
  });
}

export function notAcceptable(accepted: readonly string[]): ApiError {
  const message = `only the following media types are accepted: ${accepted.join(', ')}`;
  return new ApiError({ code: 406, reason: 'NotAcceptable', message });
}

export function unsupportedMediaType(sent: string, accepted: readonly string[]): ApiError {
  const message = `the body of the request was in an unknown format (${sent}) - accepted media types include: ${accepted.join(', ')}`;
  return new ApiError({ code: 415, reason: 'UnsupportedMediaType', message });
}

export function tooLarge(limitBytes: number): ApiError {
  const message = `Request entity too large: limit is ${limitBytes}`;
  return new ApiError({ code: 413, reason: 'RequestEntityTooLarge', message });
}

/** The history no longer reaches back so far: list again. */
export function expired(asked: string, oldest: string): ApiError {
  return new ApiError({ code: 410, reason: 'Expired', message: `too old resource version: ${asked} (${oldest})` });
}

export function invalidField(
  kind: Kind,
  name: string,
  cause: { readonly reason: string; readonly message: string; readonly field: string },
): ApiError {
  const group = kind.group === '' ? '' : `.${kind.group}`;
  return new ApiError({
    code: 422,
    reason: 'Invalid',
    message: `${kind.kind}${group} "${name}" is invalid: ${cause.field}: ${cause.message}`,
    details: { name, ...(kind.group === '' ? {} : { group: kind.group }), kind: kind.kind, causes: [cause] },
  });
}

/** A version from the future, or a cache that lags behind the store: the caller may ask again. */
export function laggingCache(asked: string, current: string): ApiError {
  return new ApiError({
    code: 504,
    reason: 'Timeout',
    message: `Timeout: Too large resource version: ${asked}, current: ${current}`,
    details: {
      retryAfterSeconds: 1,
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    },
  });
}

export function serviceUnavailable(message: string): ApiError {
  return new ApiError({ code: 503, reason: 'ServiceUnavailable', message, details: { retryAfterSeconds: 1 } });
}

/** Every failure of the store or of our own code as the ApiError that a client may see; `undefined`: a bug. */
export function asApiError(thrown: unknown): ApiError | undefined {
  if (thrown instanceof ApiError) return thrown;
  if (thrown instanceof StoreCompacted) {
    return new ApiError({ code: 410, reason: 'Expired', message: thrown.message });
  }
  if (!(thrown instanceof FlotillaError)) return undefined;
  if (thrown.code === 'StoreLimit') {
    return new ApiError({ code: 413, reason: 'RequestEntityTooLarge', message: thrown.message });
  }
  if (thrown.code === 'StoreUnavailable' || thrown.code === 'Unavailable') {
    return serviceUnavailable(thrown.hint === undefined ? thrown.message : `${thrown.message}; ${thrown.hint}`);
  }
  return undefined;
}

function details(kind: Pick<Kind, 'group' | 'plural'>, name: string): { name: string; group?: string; kind: string } {
  return { name, ...(kind.group === '' ? {} : { group: kind.group }), kind: kind.plural };
}

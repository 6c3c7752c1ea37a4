/** The parts of a Kubernetes `Status` object that people and programs read. */
export interface StatusFailure {
  readonly code: number;
  /** `NotFound`, `AlreadyExists`, `Conflict`, `Invalid`, `Forbidden`, `Expired` … */
  readonly reason: string;
  readonly message: string;
  readonly details?: {
    readonly name?: string;
    readonly group?: string;
    readonly kind?: string;
    readonly uid?: string;
    readonly retryAfterSeconds?: number;
    readonly causes?: readonly { readonly reason?: string; readonly message?: string; readonly field?: string }[];
  };
  /** Of a list whose token expired: how to go on, with what there is now. */
  readonly continue?: string;
}

/** The API said no, in its own words. The same class on both sides: the server throws it, the client rebuilds it. */
export class ApiError extends Error {
  readonly status: StatusFailure;

  constructor(status: StatusFailure) {
    super(status.message);
    this.name = 'ApiError';
    this.status = status;
  }
}

export function isApiError(thrown: unknown, reason: string): thrown is ApiError {
  return thrown instanceof ApiError && thrown.status.reason === reason;
}

/** 400 BadRequest: the request cannot be understood. */
export function badRequest(message: string): ApiError {
  return new ApiError({ code: 400, reason: 'BadRequest', message });
}

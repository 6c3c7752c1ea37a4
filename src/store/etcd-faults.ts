import { FlotillaError, messageOf } from '../lib/errors.ts';
import { StoreCompacted } from './port.ts';

/**
 * What a failed call says about itself. `refused`: etcd looked at it and did nothing; every member would say the same.
 * `unsent`: it surely never reached etcd. `unknown`: it may have worked, or may work yet.
 */
export type EtcdFault = 'refused' | 'unsent' | 'unknown';

/** Of etcd's own words, those after which a change may have been made or another member may do better. */
const passing = /request timed out|leader changed|no leader|not leader|stopped|unhealthy|dropped|timeout/;
/** gRPC's words while it has no connection to write to. */
const unsent = /No connection established|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|Name resolution failed/;

export function faultOf(error: unknown): EtcdFault {
  if (error instanceof FlotillaError || error instanceof StoreCompacted) return 'refused';
  const words = messageOf(error);
  if (/too many requests/.test(words)) return 'unsent';
  if (/etcdserver:/.test(words) && !passing.test(words)) return 'refused';
  if (/Lease\w+Error|requested lease not found/.test(words)) return 'refused';
  if (/INVALID_ARGUMENT|OUT_OF_RANGE|FAILED_PRECONDITION|UNIMPLEMENTED|UNAUTHENTICATED|PERMISSION_DENIED/.test(words)) {
    return 'refused';
  }
  return unsent.test(words) ? 'unsent' : 'unknown';
}

/** What etcd3 throws, as an error a person can act on. Every failure of the way there may pass. */
export function etcdError(error: unknown, endpoints: readonly string[]): Error {
  if (error instanceof FlotillaError || error instanceof StoreCompacted) return error;
  const words = messageOf(error);
  if (/request is too large|too many operations|larger than max/.test(words)) {
    return new FlotillaError('StoreLimit', `etcd refuses the commit: ${words}`, {
      cause: error,
      hint: 'make the object smaller',
    });
  }
  if (/duplicate key|invalid/.test(words)) return new Error(`etcd refuses the request: ${words}`, { cause: error });
  return new FlotillaError('StoreUnavailable', `etcd at ${endpoints.join(', ')} failed: ${words}`, {
    cause: error,
    retryable: true,
    hint: /database space exceeded/.test(words)
      ? 'compact and defragment etcd, then: etcdctl alarm disarm'
      : 'check that etcd runs and has a majority: etcdctl endpoint status',
  });
}

export function isCompactedError(error: unknown): boolean {
  return /required revision has been compacted/.test(messageOf(error));
}

export function isFutureError(error: unknown): boolean {
  return /required revision is a future revision/.test(messageOf(error));
}

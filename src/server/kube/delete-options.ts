import type { DeleteOptions } from 'kubernetes-types/meta/v1.js';
import { deleteOptionsBody } from '../../resources/bodies.ts';
import { invalid, invalidError, notSupported } from '../../resources/field-errors.ts';
import type { FieldError } from '../../resources/schema.ts';
import { badRequest } from '../registry/api-errors.ts';
import type { Call } from '../registry/call.ts';
import type { Exchange } from './exchange.ts';
import { decodeBody, mediaType, readBody } from './request-body.ts';
import { dryRunOf, isTrue } from './write-options.ts';

const policies = ['Background', 'Foreground', 'Orphan'];

/** In the body, as kubectl and helm send them, or in the query. Throws ApiError 400 and 422. */
export async function deleteOptionsOf({ request, query }: Exchange): Promise<DeleteOptions> {
  const body = await readBody(request);
  const sent = body.length === 0 ? {} : decodeBody(deleteOptionsBody, body, mediaType(request), 'Ignore').object;
  const options: DeleteOptions = { ...fromQuery(query), ...sent };
  const errors: FieldError[] = [];
  if (options.propagationPolicy === '') delete options.propagationPolicy;
  const { propagationPolicy, orphanDependents, gracePeriodSeconds } = options;
  if (propagationPolicy !== undefined && orphanDependents !== undefined) {
    errors.push(
      invalid('propagationPolicy', propagationPolicy, 'orphanDependents and deletionPropagation cannot be both set'),
    );
  }
  if (propagationPolicy !== undefined && !policies.includes(propagationPolicy)) {
    errors.push(notSupported('propagationPolicy', propagationPolicy, policies));
  }
  if (gracePeriodSeconds !== undefined && gracePeriodSeconds < 0) options.gracePeriodSeconds = 1;
  dryRunOf(options.dryRun ?? [], errors);
  if (errors.length > 0) throw invalidError({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', errors);
  return options;
}

function fromQuery(query: URLSearchParams): DeleteOptions {
  const grace = query.get('gracePeriodSeconds');
  if (grace !== null && !/^-?[0-9]{1,9}$/.test(grace)) {
    throw badRequest(`gracePeriodSeconds: Invalid value: ${JSON.stringify(grace)}: a number of seconds expected`);
  }
  const policy = query.get('propagationPolicy');
  return {
    ...(grace === null ? {} : { gracePeriodSeconds: Number(grace) }),
    ...(policy ? { propagationPolicy: policy } : {}),
    ...(query.has('orphanDependents') ? { orphanDependents: isTrue(query.get('orphanDependents')) } : {}),
    ...(query.has('dryRun') ? { dryRun: query.getAll('dryRun') } : {}),
  };
}

/** `call`, in which nothing is written when the options say so. */
export function dryIf(call: Call, options: DeleteOptions): Call {
  return options.dryRun?.includes('All') ? { ...call, isDryRun: true } : call;
}

import { ApiError } from '../../../client/api-error.ts';
import { pods } from '../../../resources/kinds.ts';
import { podOf, type StepRunner } from '../pod-services.ts';

const timeoutMs = 10_000;

/** The last word about a pod: nothing of it is left on this node. Another pod of the same name is left alone. */
export const runDeleteObject: StepRunner<'delete-object'> = async (_step, context) => {
  const { client, record } = context;
  const { namespace, name } = podOf(context).metadata;
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    await client.delete(pods, { namespace, name }, { gracePeriodSeconds: 0, uid: record.uid, signal });
  } catch (error) {
    if (!(error instanceof ApiError) || ![403, 404, 409].includes(error.status.code)) throw error;
  }
  record.isDesired = false;
  return 'stop';
};

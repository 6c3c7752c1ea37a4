import { randomInt } from 'node:crypto';
import type { Clock } from '../../../lib/clock.ts';
import { type Kind, resourceNameOf } from '../../../resources/kind.ts';
import { type Pod, pods, type ServiceAccount, serviceAccounts } from '../../../resources/kinds.ts';
import type { ApiObject } from '../../../resources/object.ts';
import type { WatchCache } from '../../cache/watch-cache.ts';
import { forbidden } from '../../registry/api-errors.ts';
import type { Completer } from '../../registry/call.ts';
import { accountNameOf, defaultAccountName, wantsToken, withServiceAccount } from './pod-admission.ts';

export interface AdmitPodsOptions {
  readonly cache: WatchCache;
  readonly clock: Clock;
}

/** The account `default` of a namespace made just now comes within moments; longer is not waited for it. */
const defaultAccountWaitMs = 3_000;
const lookEveryMs = 25;
const suffixLetters = 'bcdfghjklmnpqrstvwxz2456789';

/** Gives new pods what their service account says. Throws ApiError 403 for an account that is not there. */
export function createPodAdmission(options: AdmitPodsOptions): Completer {
  return async ({ grid }, kind, object) => {
    if (resourceNameOf(kind) !== resourceNameOf(pods)) return object;
    const pod = object as Pod;
    // Not validated yet: one without containers is refused for that, in a moment.
    if (!(object as { spec?: Partial<Pod['spec']> }).spec?.containers) return object;
    const name = accountNameOf(pod);
    const account = await findAccount(options, grid, pod, name);
    // Without a token the account is but a name.
    if (!account && !(name === defaultAccountName && !wantsToken(pod, undefined))) {
      const { namespace } = pod.metadata;
      const why = `error looking up service account ${namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`;
      throw forbidden(pods, pod.metadata.name, why);
    }
    const suffix = Array.from({ length: 5 }, () => suffixLetters[randomInt(suffixLetters.length)]).join('');
    return withServiceAccount(pod, account, suffix);
  };
}

async function findAccount(
  { cache, clock }: AdmitPodsOptions,
  grid: string,
  pod: Pod,
  name: string,
): Promise<ServiceAccount | undefined> {
  const find = (): ApiObject | undefined =>
    cache.get(grid, serviceAccounts as Kind, pod.metadata.namespace, name)?.object;
  if (find()) return find() as ServiceAccount;
  await cache.fresh();
  if (name === defaultAccountName && wantsToken(pod, undefined)) {
    const untilMs = clock.monotonicMs() + defaultAccountWaitMs;
    while (!find() && clock.monotonicMs() < untilMs) await clock.sleep(lookEveryMs);
  }
  return find() as ServiceAccount | undefined;
}

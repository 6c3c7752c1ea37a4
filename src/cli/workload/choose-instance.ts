import { FlotillaError } from '../../lib/errors.ts';
import type { Pod } from '../../resources/kinds.ts';
import { isPodReady } from '../../resources/pod-facts.ts';
import { type Instance, selectInstances } from './instances.ts';

/** Where a command goes that was given a service or an instance: the first one that is ready, else one that runs. */
export function chooseRunning(all: readonly Instance[], target: string): Pod {
  const running = selectInstances(all, target)
    .map(({ pod }) => pod)
    .filter((pod) => pod.status?.containerStatuses?.some((one) => one.state?.running));
  const chosen = running.find(isPodReady) ?? running[0];
  if (chosen) return chosen;
  throw new FlotillaError('NotFound', `no instance of "${target}" is running`, { hint: 'flotilla ps' });
}

export function refOf({ metadata }: Pod): { readonly namespace: string; readonly name: string } {
  return { namespace: metadata.namespace ?? 'default', name: metadata.name };
}

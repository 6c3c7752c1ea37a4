import type { Deployment } from '../resources/kinds.ts';
import { annotations } from '../resources/names.ts';
import { hasHostPort, writesVolume } from '../resources/stack-facts.ts';
import type { StackService, StackUpdate } from '../resources/stack-types.ts';

type Strategy = NonNullable<Deployment['spec']['strategy']>;
type Count = number | string;

/** Without progress for so long what would be taken back has failed. Kubernetes' own default is 600. */
export const rollbackDeadlineSeconds = 300;

/**
 * One more at a time, none less, also with one instance. Two generations side by side are impossible where they would want the same
 * thing: a volume's files have one writer, a fixed host port one owner a node. There the old ones go first.
 */
export function strategyOf(service: StackService): Strategy {
  if (writesVolume(service)) return { type: 'Recreate' };
  const { order, maxAtOnce = 1, minHealthyPercent } = service.update ?? {};
  const atOnce: Count = maxAtOnce === 0 ? '100%' : maxAtOnce;
  const missing: Count | undefined = minHealthyPercent === undefined ? undefined : `${100 - minHealthyPercent}%`;
  if (order === 'stop-first' || hasHostPort(service)) {
    // Both may be said where the order follows from a port: the one that keeps more wins.
    const maxUnavailable = service.update?.maxAtOnce === undefined ? (missing ?? atOnce) : atOnce;
    return { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: nonZero(maxUnavailable) } };
  }
  return { type: 'RollingUpdate', rollingUpdate: { maxSurge: atOnce, maxUnavailable: missing ?? 0 } };
}

/** Nothing could ever be replaced otherwise. */
function nonZero(count: Count): Count {
  return count === '0%' || count === 0 ? 1 : count;
}

/** What Kubernetes has a field for. */
export function timingOf({
  update,
}: StackService): Pick<Deployment['spec'], 'minReadySeconds' | 'progressDeadlineSeconds'> {
  const deadline = update?.deadlineSeconds ?? (update?.autoRollback ? rollbackDeadlineSeconds : undefined);
  return {
    ...(update?.monitorSeconds ? { minReadySeconds: update.monitorSeconds } : {}),
    ...(deadline === undefined ? {} : { progressDeadlineSeconds: deadline }),
  };
}

/** And what it has none for. */
export function updateAnnotations(update: StackUpdate | undefined): Record<string, string> {
  return {
    ...(update?.autoRollback ? { [annotations.autoRollback]: 'true' } : {}),
    ...(update?.window === undefined ? {} : { [annotations.updateWindow]: update.window }),
    ...(update?.window === undefined ? {} : { [annotations.updateTimezone]: update.timezone ?? 'UTC' }),
    ...(update?.pauseSeconds ? { [annotations.updatePause]: `${update.pauseSeconds}s` } : {}),
  };
}

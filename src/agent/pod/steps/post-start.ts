import { podContainer } from '../../../resources/pod-containers.ts';
import { nameOf } from '../container-facts.ts';
import { runHook } from '../hooks.ts';
import { podOf, type StepContext, type StepRunner } from '../pod-services.ts';

/** Kubernetes has no limit of its own; a hook that never ends must not keep a pod from being told of for ever. */
const timeoutMs = 600_000;
/** The engine was away: another try. */
const retryMs = 1_000;

/** Goes on beside the plan: the pod may be deleted meanwhile. */
export const runPostStart: StepRunner<'post-start'> = async (step, context) => {
  context.record.hooks.set(step.containerId, 'running');
  void run(step.containerId, context);
  return 'continue';
};

async function run(containerId: string, context: StepContext): Promise<void> {
  const { record, events } = context;
  const pod = podOf(context);
  const observed = record.containers.get(containerId);
  const container = observed && podContainer(pod, nameOf(observed))?.container;
  if (!container) return;
  const handler = container.lifecycle?.postStart ?? {};
  const address = record.address ?? context.hostAddresses()[0] ?? '127.0.0.1';
  const result = await runHook(handler, { container, containerId, address }, context, timeoutMs);
  // The container is gone, or the API has said meanwhile that it ran before.
  if (record.hooks.get(containerId) !== 'running') return;
  if (result.isUnknown) {
    record.hooks.set(containerId, 'pending');
    return context.wake(retryMs);
  }
  record.hooks.set(containerId, 'done');
  if (!result.isSuccess) {
    events.record(pod, 'Warning', 'FailedPostStartHook', `PostStartHook failed: ${result.message}`);
    record.unhealthy.set(containerId, {});
  }
  context.wake();
}

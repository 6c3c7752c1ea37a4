import { runHook } from '../hooks.ts';
import { podOf, type StepContext, type StepRunner } from '../pod-services.ts';

/** Kubernetes has no limit of its own; a hook that never ends must not keep a pod from being told of for ever. */
const timeoutMs = 600_000;
/** The engine was away: another try. */
const retryMs = 1_000;

/** Goes on beside the plan: the pod may be deleted meanwhile. */
export const runPostStart: StepRunner<'post-start'> = async (step, context) => {
  context.record.hook = { containerId: step.containerId, state: 'running' };
  void run(step.containerId, context);
  return 'continue';
};

async function run(containerId: string, context: StepContext): Promise<void> {
  const { record, events } = context;
  const pod = podOf(context);
  const handler = pod.spec.containers[0]?.lifecycle?.postStart ?? {};
  const address = record.address ?? context.hostAddresses()[0] ?? '127.0.0.1';
  const result = await runHook(handler, { pod, containerId, address }, context, timeoutMs);
  if (record.hook?.containerId !== containerId) return;
  if (result.isUnknown) {
    record.hook = { containerId, state: 'pending' };
    return context.wake(retryMs);
  }
  record.hook = { containerId, state: 'done' };
  if (!result.isSuccess) {
    events.record(pod, 'Warning', 'FailedPostStartHook', `PostStartHook failed: ${result.message}`);
    record.unhealthy = { containerId };
  }
  context.wake();
}

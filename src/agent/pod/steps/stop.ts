import { messageOf } from '../../../lib/errors.ts';
import type { StepContext, StepRunner } from '../pod-services.ts';
import type { PodStep } from '../step.ts';

type StopStep = Extract<PodStep, { readonly type: 'stop' }>;

const retryMs = 1_000;

/** Goes on beside the plan, so that a shorter grace period can still end it. */
export const runStop: StepRunner<'stop'> = async (step, context) => {
  const { record, clock, events, pod } = context;
  const isSecond = record.stopping?.containerId === step.containerId;
  record.stopping = {
    containerId: step.containerId,
    deadlineMs: clock.monotonicMs() + step.graceSeconds * 1_000,
  };
  if (pod && !isSecond) {
    const name = pod.spec.containers[0]?.name;
    const why = step.why === 'unhealthy' ? `Container ${name} failed its liveness probe, will be restarted` : undefined;
    events.record(pod, 'Normal', 'Killing', why ?? `Stopping container ${name}`);
  }
  void stop(step, context);
  return 'continue';
};

async function stop(step: StopStep, context: StepContext): Promise<void> {
  const { record, runtime, clock, log } = context;
  const mine = record.stopping;
  try {
    await runtime.stop(step.containerId, step.graceSeconds);
    const askedAtMs = clock.monotonicMs();
    const observed = await runtime.inspect(step.containerId);
    if (observed) record.observe(observed, clock.monotonicMs(), askedAtMs);
    else record.forget(step.containerId);
    context.wake();
  } catch (error) {
    log.warn('stop failed, trying again', { container: step.containerId.slice(0, 12), reason: messageOf(error) });
    context.wake(retryMs);
  } finally {
    if (record.stopping === mine) record.stopping = undefined;
  }
}

import { messageOf } from '../../../lib/errors.ts';
import { runHook } from '../hooks.ts';
import type { StepContext, StepRunner } from '../pod-services.ts';
import type { PodStep } from '../step.ts';

type StopStep = Extract<PodStep, { readonly type: 'stop' }>;

const retryMs = 1_000;
/** As Kubernetes: even when the preStop handler has used up the grace period. */
const minAfterHookSeconds = 2;

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
    const why =
      step.why === 'unhealthy'
        ? `Container ${name} failed its liveness or startup probe, or its postStart handler, and is started anew`
        : step.why === 'outdated'
          ? `Container ${name} was given another image, and is started anew`
          : undefined;
    events.record(pod, 'Normal', 'Killing', why ?? `Stopping container ${name}`);
  }
  void stop(step, context, isSecond);
  return 'continue';
};

async function stop(step: StopStep, context: StepContext, isSecond: boolean): Promise<void> {
  const { record, runtime, clock, log } = context;
  const mine = record.stopping;
  try {
    const leftSeconds = isSecond ? step.graceSeconds : await preStop(step, context);
    if (record.stopping !== mine) return; // a shorter grace period was given meanwhile
    await runtime.stop(step.containerId, leftSeconds);
    const askedAtMs = clock.monotonicMs();
    const observed = await runtime.inspect(step.containerId);
    if (observed) record.observe(observed, clock.monotonicMs(), askedAtMs);
    else record.forget(step.containerId);
    if (record.stopping === mine) record.stopping = undefined;
    context.wake();
  } catch (error) {
    if (record.stopping !== mine) return;
    log.warn('stop failed, trying again', { container: step.containerId.slice(0, 12), reason: messageOf(error) });
    // Until then this stop counts as under way: whatever else happens must not begin the next one at once.
    await clock.sleep(retryMs);
    if (record.stopping === mine) record.stopping = undefined;
    context.wake();
  }
}

/** Gives the seconds that are left for SIGTERM; the handler's time is part of the grace period. */
async function preStop(step: StopStep, context: StepContext): Promise<number> {
  const { record, pod, clock, events } = context;
  const handler = pod?.spec.containers[0]?.lifecycle?.preStop;
  if (!pod || !handler || step.graceSeconds === 0) return step.graceSeconds;
  const startMs = clock.monotonicMs();
  const address = record.address ?? context.hostAddresses()[0] ?? '127.0.0.1';
  const target = { pod, containerId: step.containerId, address };
  const result = await runHook(handler, target, context, step.graceSeconds * 1_000);
  if (!result.isSuccess) {
    events.record(pod, 'Warning', 'FailedPreStopHook', `PreStopHook failed: ${result.message}`);
  }
  const usedSeconds = Math.round((clock.monotonicMs() - startMs) / 1_000);
  return Math.max(minAfterHookSeconds, step.graceSeconds - usedSeconds);
}

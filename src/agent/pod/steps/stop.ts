import { messageOf } from '../../../lib/errors.ts';
import { podContainer } from '../../../resources/pod-containers.ts';
import { nameOf } from '../container-facts.ts';
import { runHook } from '../hooks.ts';
import { pauseName } from '../pause.ts';
import type { StepContext, StepRunner } from '../pod-services.ts';
import type { PodStep } from '../step.ts';

type StopStep = Extract<PodStep, { readonly type: 'stop' }>;

const retryMs = 1_000;
/** As Kubernetes: even when the preStop handler has used up the grace period. */
const minAfterHookSeconds = 2;

const reasons: { readonly [W in StopStep['why']]?: (name: string) => string } = {
  unhealthy: (name) =>
    `Container ${name} failed its liveness or startup probe, or its postStart handler, and is started anew`,
  outdated: (name) => `Container ${name} was given another image, and is started anew`,
  host: (name) => `Stopping container ${name}: its host is going down`,
  'pause-ended': (name) => `Pod sandbox changed, container ${name} will be killed and re-created`,
};

/** Goes on beside the plan, so that a shorter grace period can still end it. */
export const runStop: StepRunner<'stop'> = async (step, context) => {
  const { record, clock, events, pod } = context;
  const isSecond = record.stopping.has(step.containerId);
  const observed = record.containers.get(step.containerId);
  const name = observed ? nameOf(observed) : '';
  record.stopping.set(step.containerId, { deadlineMs: clock.monotonicMs() + step.graceSeconds * 1_000 });
  if (step.why === 'deleted' || step.why === 'finished' || step.why === 'host')
    record.endingSinceMs ??= clock.monotonicMs();
  if (pod && !isSecond && name !== pauseName) {
    events.record(pod, 'Normal', 'Killing', reasons[step.why]?.(name) ?? `Stopping container ${name}`);
  }
  void stop(step, context, isSecond);
  return 'continue';
};

async function stop(step: StopStep, context: StepContext, isSecond: boolean): Promise<void> {
  const { record, runtime, clock, log } = context;
  const mine = record.stopping.get(step.containerId);
  const isMine = () => record.stopping.get(step.containerId) === mine;
  try {
    const leftSeconds = isSecond ? step.graceSeconds : await preStop(step, context);
    if (!isMine()) return; // a shorter grace period was given meanwhile
    await runtime.stop(step.containerId, leftSeconds);
    const askedAtMs = clock.monotonicMs();
    const observed = await runtime.inspect(step.containerId);
    if (observed) record.observe(observed, clock.monotonicMs(), askedAtMs);
    else record.forget(step.containerId);
    if (isMine()) record.stopping.delete(step.containerId);
    context.wake();
  } catch (error) {
    if (!isMine()) return;
    log.warn('stop failed, trying again', { container: step.containerId.slice(0, 12), reason: messageOf(error) });
    // Until then this stop counts as under way: whatever else happens must not begin the next one at once.
    await clock.sleep(retryMs);
    if (isMine()) record.stopping.delete(step.containerId);
    context.wake();
  }
}

/** Gives the seconds that are left for SIGTERM; the handler's time is part of the grace period. */
async function preStop(step: StopStep, context: StepContext): Promise<number> {
  const { record, pod, clock, events } = context;
  const observed = record.containers.get(step.containerId);
  const container = pod && observed && podContainer(pod, nameOf(observed))?.container;
  const handler = container?.lifecycle?.preStop;
  if (!pod || !container || !handler || step.graceSeconds === 0) return step.graceSeconds;
  const startMs = clock.monotonicMs();
  const address = record.address ?? context.hostAddresses()[0] ?? '127.0.0.1';
  const target = { container, containerId: step.containerId, address };
  const result = await runHook(handler, target, context, step.graceSeconds * 1_000);
  if (!result.isSuccess) {
    events.record(pod, 'Warning', 'FailedPreStopHook', `PreStopHook failed: ${result.message}`);
  }
  const usedSeconds = Math.round((clock.monotonicMs() - startMs) / 1_000);
  return Math.max(minAfterHookSeconds, step.graceSeconds - usedSeconds);
}

import { messageOf } from '../../../lib/errors.ts';
import { hasEnded } from '../plan.ts';
import { podOf, type StepRunner } from '../pod-services.ts';

export const runStart: StepRunner<'start'> = async (step, context) => {
  const { record, runtime, events, clock } = context;
  const container = record.attempt(step.attempt);
  if (!container) return 'stop';
  let failure: unknown;
  try {
    await runtime.start(container.id);
  } catch (error) {
    failure = error;
  }
  const askedAtMs = clock.monotonicMs();
  const observed = await runtime.inspect(container.id);
  if (!observed) {
    record.forget(container.id);
    return 'stop';
  }
  record.observe(observed, clock.monotonicMs(), askedAtMs);
  const pod = podOf(context);
  if (failure === undefined) {
    events.record(pod, 'Normal', 'Started', `Started container ${pod.spec.containers[0]?.name}`);
    return 'continue';
  }
  // The engine notes why a start failed; then it counts as an attempt that ended. Otherwise the engine is in trouble.
  if (!hasEnded(observed)) {
    record.fail({ reason: 'RunContainerError', message: messageOf(failure) }, clock.monotonicMs());
  }
  events.record(pod, 'Warning', 'Failed', `Error: ${messageOf(failure)}`);
  return 'stop';
};

import { messageOf } from '../../../lib/errors.ts';
import { hasEnded, isAlive } from '../container-facts.ts';
import { pauseName } from '../pause.ts';
import { podOf, type StepRunner } from '../pod-services.ts';

export const runStart: StepRunner<'start'> = async (step, context) => {
  const { record, runtime, events, clock } = context;
  const container = record.attempt(step.container, step.attempt);
  if (!container) return 'stop';
  let failure: unknown;
  if (record.address !== undefined) await context.network.beforeStart?.();
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
  if (isAlive(observed) && observed.addresses.length > 0) context.network.wirePorts?.();
  if (failure === undefined) {
    if (step.container !== pauseName) events.record(pod, 'Normal', 'Started', `Started container ${step.container}`);
    return 'continue';
  }
  // The engine notes why a start failed; then it counts as an attempt that ended. Otherwise the engine is in trouble.
  if (!hasEnded(observed)) {
    record
      .member(step.container)
      .fail({ reason: 'RunContainerError', message: messageOf(failure) }, clock.monotonicMs());
  }
  events.record(pod, 'Warning', 'Failed', `Error: ${messageOf(failure)}`);
  return 'stop';
};

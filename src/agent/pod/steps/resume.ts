import type { StepRunner } from '../pod-services.ts';

export const runResume: StepRunner<'resume'> = async (step, { record, runtime, clock, log }) => {
  const askedAtMs = clock.monotonicMs();
  await runtime.resume(step.containerId);
  log.warn('container was paused by somebody; it goes on', { container: step.containerId.slice(0, 12) });
  const observed = await runtime.inspect(step.containerId);
  if (observed) record.observe(observed, clock.monotonicMs(), askedAtMs);
  else record.forget(step.containerId);
  return 'continue';
};

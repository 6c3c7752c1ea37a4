import type { StepRunner } from '../pod-services.ts';

export const runRemove: StepRunner<'remove'> = async (step, { record, runtime }) => {
  await runtime.remove(step.containerId);
  record.forget(step.containerId);
  return 'continue';
};

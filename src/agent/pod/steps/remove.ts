import { attemptOf, nameOf } from '../container-facts.ts';
import type { StepRunner } from '../pod-services.ts';
import { dropMessage } from '../termination-message.ts';

export const runRemove: StepRunner<'remove'> = async (step, { record, runtime, files }) => {
  const container = record.containers.get(step.containerId);
  if (container?.startedAt === undefined) await runtime.reap(step.containerId);
  await runtime.remove(step.containerId);
  if (container) await dropMessage(record, nameOf(container), attemptOf(container), files);
  record.forget(step.containerId);
  return 'continue';
};

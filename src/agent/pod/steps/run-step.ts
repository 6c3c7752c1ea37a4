import type { StepContext, StepOutcome, StepRunner } from '../pod-services.ts';
import type { PodStep } from '../step.ts';
import { runAdmit } from './admit.ts';
import { runAssignAddress } from './assign-address.ts';
import { runCreate } from './create.ts';
import { runDeleteObject } from './delete-object.ts';
import { runEnsureImage } from './ensure-image.ts';
import { runPrepare } from './prepare.ts';
import { runRelease } from './release.ts';
import { runRemove } from './remove.ts';
import { runStart } from './start.ts';
import { runStop } from './stop.ts';

const runners: { readonly [T in PodStep['type']]: StepRunner<T> } = {
  admit: runAdmit,
  'ensure-image': runEnsureImage,
  'assign-address': runAssignAddress,
  prepare: runPrepare,
  create: runCreate,
  start: runStart,
  stop: runStop,
  remove: runRemove,
  release: runRelease,
  'delete-object': runDeleteObject,
  wait: async () => 'stop',
};

export function runStep(step: PodStep, context: StepContext): Promise<StepOutcome> {
  const run = runners[step.type] as (step: PodStep, context: StepContext) => Promise<StepOutcome>;
  return run(step, context);
}

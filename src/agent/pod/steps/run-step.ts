import type { StepContext, StepOutcome, StepRunner } from '../pod-services.ts';
import type { PodStep } from '../step.ts';
import { runAdmit } from './admit.ts';
import { runAssignAddress } from './assign-address.ts';
import { runCreate } from './create.ts';
import { runDeleteObject } from './delete-object.ts';
import { runEnsureImage } from './ensure-image.ts';
import { runPostStart } from './post-start.ts';
import { runPrepare } from './prepare.ts';
import { runRelease } from './release.ts';
import { runRemove } from './remove.ts';
import { runResume } from './resume.ts';
import { runStart } from './start.ts';
import { runStop } from './stop.ts';

const runners: { readonly [T in PodStep['type']]: StepRunner<T> } = {
  admit: runAdmit,
  'ensure-image': runEnsureImage,
  'assign-address': runAssignAddress,
  prepare: runPrepare,
  create: runCreate,
  start: runStart,
  'post-start': runPostStart,
  resume: runResume,
  stop: runStop,
  remove: runRemove,
  release: runRelease,
  'delete-object': runDeleteObject,
  wait: async () => 'stop',
};

/** Every step that there is: the compiler holds the table above complete. */
export const stepTypes = Object.keys(runners) as readonly PodStep['type'][];

/** The one place where steps are done. */
export async function runStep(step: PodStep, context: StepContext): Promise<StepOutcome> {
  const run = runners[step.type] as (step: PodStep, context: StepContext) => Promise<StepOutcome>;
  context.failPoints?.(step.type, 'before');
  const outcome = await run(step, context);
  context.failPoints?.(step.type, 'after');
  return outcome;
}

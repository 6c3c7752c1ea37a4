import type { ContainerSpec } from '../../../adapters/runtime/port.ts';
import { hasCode, messageOf } from '../../../lib/errors.ts';
import { isAlive } from '../container-facts.ts';
import { type ContainerSpecInputOfPod, renderContainerSpec } from '../container-spec.ts';
import { hasPause, pauseName } from '../pause.ts';
import { renderPauseSpec } from '../pause-spec.ts';
import { podOf, type StepContext, type StepRunner } from '../pod-services.ts';
import type { PodStep } from '../step.ts';
import { messageMount } from '../termination-message.ts';

export const runCreate: StepRunner<'create'> = async (step, context) => {
  const { record, runtime, events, clock } = context;
  const pod = podOf(context);
  const member = record.member(step.container);
  const spec = await specOf(step, context);
  if (!spec) return 'stop';
  let id: string;
  try {
    id = await runtime.create(spec);
  } catch (error) {
    if (hasCode(error, 'EngineFailed') && error.retryable) throw error;
    // Somebody removed the image in the meantime.
    if (hasCode(error, 'NotFound')) member.image = 'unknown';
    const message = messageOf(error);
    member.fail({ reason: 'CreateContainerError', message }, clock.monotonicMs());
    events.record(pod, 'Warning', 'Failed', `Error: ${message}`);
    return 'stop';
  }
  member.prepared = undefined;
  record.observe(
    {
      id,
      name: spec.name,
      labels: spec.labels,
      image: spec.image,
      imageId: '',
      state: 'created',
      wasOomKilled: false,
      createdAt: new Date(clock.wallMs()).toISOString(),
      addresses: [],
      hostPorts: [],
    },
    clock.monotonicMs(),
  );
  member.crashes = step.crashes;
  if (step.container !== pauseName) events.record(pod, 'Normal', 'Created', `Created container ${step.container}`);
  return 'continue';
};

/** Undefined: what it needs is gone again. */
async function specOf(
  step: Extract<PodStep, { type: 'create' }>,
  context: StepContext,
): Promise<ContainerSpec | undefined> {
  const { record } = context;
  const pod = podOf(context);
  const { prepared } = record.member(step.container);
  const facts: ContainerSpecInputOfPod = {
    pod,
    name: step.container,
    grid: context.grid,
    nodeName: context.nodeName,
    attempt: step.attempt,
    crashes: step.crashes,
    networkName: context.networkName,
    boundPorts: record.boundPorts,
    ...(record.address === undefined ? {} : { address: record.address }),
  };
  if (step.container === pauseName) return renderPauseSpec(facts);
  const pause = hasPause(pod) ? record.newest(pauseName) : undefined;
  if (!prepared || (hasPause(pod) && !(pause && isAlive(pause)))) return undefined;
  const lastWords = await messageMount(record, step.container, step.attempt, context.files);
  return renderContainerSpec({
    ...facts,
    variables: prepared.environment.variables,
    mounts: [...prepared.mounts, ...lastWords],
    ...(pause ? { pauseId: pause.id } : {}),
  });
}

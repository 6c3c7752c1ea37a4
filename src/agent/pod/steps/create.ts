import { hasCode, messageOf } from '../../../lib/errors.ts';
import { renderContainerSpec } from '../container-spec.ts';
import { podOf, type StepRunner } from '../pod-services.ts';
import { messageMount } from '../termination-message.ts';

export const runCreate: StepRunner<'create'> = async (step, context) => {
  const { record, runtime, events, clock } = context;
  const pod = podOf(context);
  if (!record.prepared) return 'stop';
  const lastWords = await messageMount(record, step.attempt, context.files);
  const spec = renderContainerSpec({
    pod,
    grid: context.grid,
    nodeName: context.nodeName,
    attempt: step.attempt,
    crashes: step.crashes,
    networkName: context.networkName,
    variables: record.prepared.environment.variables,
    mounts: [...record.prepared.mounts, ...lastWords],
    boundPorts: record.boundPorts,
    ...(record.address === undefined ? {} : { address: record.address }),
  });
  let id: string;
  try {
    id = await runtime.create(spec);
  } catch (error) {
    if (hasCode(error, 'EngineFailed') && error.retryable) throw error;
    // Somebody removed the image in the meantime.
    if (hasCode(error, 'NotFound')) record.image = 'unknown';
    const message = messageOf(error);
    record.fail({ reason: 'CreateContainerError', message }, clock.monotonicMs());
    events.record(pod, 'Warning', 'Failed', `Error: ${message}`);
    return 'stop';
  }
  record.prepared = undefined;
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
  record.crashes = step.crashes;
  events.record(pod, 'Normal', 'Created', `Created container ${pod.spec.containers[0]?.name}`);
  return 'continue';
};

import { hasCode, messageOf } from '../../../lib/errors.ts';
import { podOf, type StepContext, type StepRunner } from '../pod-services.ts';

/** A pull goes on beside the plan: it may take minutes, and the pod may be deleted meanwhile. */
export const runEnsureImage: StepRunner<'ensure-image'> = async (step, context) => {
  const { record, runtime, clock } = context;
  const { image, policy } = step;
  if (policy !== 'Always' && (await runtime.hasImage(image))) {
    record.image = 'present';
    return 'continue';
  }
  if (policy === 'Never') {
    const message = `image "${image}" is not on the node, and its pull policy is Never`;
    record.fail({ reason: 'ErrImageNeverPull', message }, clock.monotonicMs());
    context.events.record(podOf(context), 'Warning', 'ErrImageNeverPull', message);
    return 'stop';
  }
  record.image = 'pulling';
  void pull(image, context);
  return 'stop';
};

async function pull(image: string, context: StepContext): Promise<void> {
  const { record, events, clock } = context;
  const pod = podOf(context);
  const startMs = clock.monotonicMs();
  events.record(pod, 'Normal', 'Pulling', `Pulling image "${image}"`);
  try {
    await context.puller.pull(image, (words) => {
      record.pullProgress = words;
    });
    record.image = 'present';
    record.problem = undefined;
    const seconds = ((clock.monotonicMs() - startMs) / 1000).toFixed(1);
    events.record(pod, 'Normal', 'Pulled', `Pulled image "${image}" in ${seconds} s`);
  } catch (error) {
    record.image = 'unknown';
    if (hasCode(error, 'Canceled')) return; // the agent stops
    const failure = { reason: 'ErrImagePull', repeatedReason: 'ImagePullBackOff', message: messageOf(error) };
    record.fail(failure, clock.monotonicMs());
    const { name, namespace } = pod.metadata;
    context.log.warn('pull failed', { image, pod: name, namespace, reason: messageOf(error) });
    events.record(pod, 'Warning', 'Failed', messageOf(error));
  } finally {
    record.pullProgress = undefined;
    context.wake();
  }
}

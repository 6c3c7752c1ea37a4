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
  record.pull = new AbortController();
  void pull(image, record.pull, context);
  return 'stop';
};

async function pull(image: string, mine: AbortController, context: StepContext): Promise<void> {
  const { record, events, clock } = context;
  const pod = podOf(context);
  const startMs = clock.monotonicMs();
  events.record(pod, 'Normal', 'Pulling', `Pulling image "${image}"`);
  try {
    const onProgress = (words: string) => {
      record.pullProgress = words;
    };
    await context.puller.pull(image, onProgress, mine.signal);
    if (record.pull !== mine) return; // the pod asks for another image now
    record.image = 'present';
    record.problem = undefined;
    const seconds = ((clock.monotonicMs() - startMs) / 1000).toFixed(1);
    events.record(pod, 'Normal', 'Pulled', `Pulled image "${image}" in ${seconds} s`);
  } catch (error) {
    if (record.pull === mine) record.image = 'unknown';
    if (record.pull !== mine || hasCode(error, 'Canceled')) return; // the pod was deleted, or the agent stops
    const failure = {
      reason: 'ErrImagePull',
      repeatedReason: 'ImagePullBackOff',
      message: messageOf(error),
      isRemote: true,
    };
    record.fail(failure, clock.monotonicMs());
    const { name, namespace } = pod.metadata;
    context.log.warn('pull failed', { image, pod: name, namespace, reason: messageOf(error) });
    events.record(pod, 'Warning', 'Failed', messageOf(error));
  } finally {
    if (record.pull === mine) {
      record.pull = undefined;
      record.pullProgress = undefined;
    }
    context.wake();
  }
}

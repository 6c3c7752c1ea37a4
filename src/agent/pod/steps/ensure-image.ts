import { hasCode, messageOf } from '../../../lib/errors.ts';
import type { MemberRecord } from '../member-record.ts';
import { podOf, type StepContext, type StepRunner } from '../pod-services.ts';

/** A pull goes on beside the plan: it may take minutes, and the pod may be deleted meanwhile. */
export const runEnsureImage: StepRunner<'ensure-image'> = async (step, context) => {
  const { record, runtime, clock } = context;
  const { container, image, policy } = step;
  const member = record.member(container);
  if (policy !== 'Always' && (await runtime.hasImage(image))) {
    member.image = 'present';
    return 'continue';
  }
  if (policy === 'BuiltIn') {
    await runtime.makePauseImage();
    member.image = 'present';
    return 'continue';
  }
  if (policy === 'Never') {
    const message = `image "${image}" is not on the node, and its pull policy is Never`;
    member.fail({ reason: 'ErrImageNeverPull', message }, clock.monotonicMs());
    context.events.record(podOf(context), 'Warning', 'ErrImageNeverPull', message);
    return 'stop';
  }
  member.image = 'pulling';
  member.pull = new AbortController();
  void pull(image, member, member.pull, context);
  return 'stop';
};

async function pull(image: string, member: MemberRecord, mine: AbortController, context: StepContext): Promise<void> {
  const { events, clock } = context;
  const pod = podOf(context);
  const startMs = clock.monotonicMs();
  events.record(pod, 'Normal', 'Pulling', `Pulling image "${image}"`);
  try {
    const onProgress = (words: string) => {
      member.pullProgress = words;
    };
    await context.puller.pull(image, onProgress, mine.signal);
    if (member.pull !== mine) return; // the pod asks for another image now
    member.image = 'present';
    member.problem = undefined;
    const seconds = ((clock.monotonicMs() - startMs) / 1000).toFixed(1);
    events.record(pod, 'Normal', 'Pulled', `Pulled image "${image}" in ${seconds} s`);
  } catch (error) {
    if (member.pull === mine) member.image = 'unknown';
    if (member.pull !== mine || hasCode(error, 'Canceled')) return; // the pod was deleted, or the agent stops
    const failure = {
      reason: 'ErrImagePull',
      repeatedReason: 'ImagePullBackOff',
      message: messageOf(error),
      isRemote: true,
    };
    member.fail(failure, clock.monotonicMs());
    const { name, namespace } = pod.metadata;
    context.log.warn('pull failed', { image, pod: name, namespace, reason: messageOf(error) });
    events.record(pod, 'Warning', 'Failed', messageOf(error));
  } finally {
    if (member.pull === mine) {
      member.pull = undefined;
      member.pullProgress = undefined;
    }
    context.wake();
  }
}

import { podOf, type StepRunner } from '../pod-services.ts';

export const runAdmit: StepRunner<'admit'> = async (_step, context) => {
  const { record, events, log } = context;
  const pod = podOf(context);
  const refusal = context.admit(pod);
  if (!refusal) {
    record.admission = 'admitted';
    return 'continue';
  }
  record.admission = 'refused';
  record.refusal = refusal;
  log.warn('pod refused', { pod: pod.metadata.name, namespace: pod.metadata.namespace, reason: refusal.reason });
  events.record(pod, 'Warning', refusal.reason, refusal.message);
  return 'stop';
};

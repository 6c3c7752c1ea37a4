import type { Binding } from 'kubernetes-types/core/v1.js';
import { formatTime } from '../../resources/conditions.ts';
import { invalid, invalidError, notSupported, required } from '../../resources/field-errors.ts';
import { type Pod, pods } from '../../resources/kinds.ts';
import { dnsSubdomain } from '../../resources/name-checks.ts';
import { conflict } from './api-errors.ts';

/** The pod on its node, with the condition that says so. Throws ApiError 409 when it has one, or is another pod. */
export function assignPod(
  pod: Pod,
  binding: Pick<Binding, 'target'> & { metadata?: Binding['metadata'] },
  wallMs: number,
): Pod {
  const { name, uid, deletionTimestamp } = pod.metadata;
  const { target, metadata } = binding;
  if (target?.kind && target.kind !== 'Node') {
    throw invalidError({ group: '', kind: 'Binding' }, name, [notSupported('target.kind', target.kind, ['Node'])]);
  }
  if (!target?.name) throw invalidError({ group: '', kind: 'Binding' }, name, [required('target.name')]);
  const [problem] = dnsSubdomain(target.name);
  if (problem !== undefined) {
    throw invalidError({ group: '', kind: 'Binding' }, name, [invalid('target.name', target.name, problem)]);
  }
  if (metadata?.uid && metadata.uid !== uid) {
    const why = `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${uid}`;
    throw conflict(pods, name, why);
  }
  if (deletionTimestamp) throw conflict(pods, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  if (pod.spec.nodeName) throw conflict(pods, name, `pod ${name} is already assigned to node "${pod.spec.nodeName}"`);
  const others = (pod.status?.conditions ?? []).filter((one) => one.type !== 'PodScheduled');
  const scheduled = { type: 'PodScheduled', status: 'True', lastTransitionTime: formatTime(wallMs) };
  return {
    ...pod,
    spec: { ...pod.spec, nodeName: target.name },
    status: { ...pod.status, conditions: [...others, scheduled] },
  };
}

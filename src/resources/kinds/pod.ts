import { ageColumn, column, defineKind, nameColumn, statusSubresource } from '../define-kind.ts';
import { forbidden, invalid } from '../field-errors.ts';
import { jsonEqual } from '../json.ts';
import type { Pod } from '../kinds.ts';
import { objectMeta } from '../meta.ts';
import { podDefaults } from '../pod-defaults.ts';
import { qosClassOf } from '../pod-facts.ts';
import { podGates, podReadyCount, podRestarts, podStatusWord } from '../pod-printer.ts';
import { podSpec } from '../pod-spec.ts';
import { podStatus } from '../pod-status.ts';
import { field, message } from '../schema.ts';

const identity = { group: '', version: 'v1', kind: 'Pod', plural: 'pods' };
const coreKind = (kind: string) => ({ group: '', version: 'v1', kind });

export const pods = defineKind<Pod>({
  ...identity,
  shortNames: ['po'],
  categories: ['all'],
  encrypted: true,
  subresources: [
    statusSubresource(identity),
    { name: 'attach', verbs: ['create', 'get'], responseKind: coreKind('PodAttachOptions') },
    { name: 'binding', verbs: ['create'], responseKind: coreKind('Binding') },
    { name: 'eviction', verbs: ['create'], responseKind: { group: 'policy', version: 'v1', kind: 'Eviction' } },
    { name: 'exec', verbs: ['create', 'get'], responseKind: coreKind('PodExecOptions') },
    { name: 'log', verbs: ['get'], responseKind: coreKind('Pod') },
    { name: 'portforward', verbs: ['create', 'get'], responseKind: coreKind('PodPortForwardOptions') },
  ],
  message: message(
    'Pod',
    {
      metadata: field(1, objectMeta),
      spec: field(2, podSpec, { required: true }),
      status: field(3, podStatus),
    },
    { defaults: podDefaults },
  ),
  selectableFields: {
    'spec.nodeName': (pod) => pod.spec.nodeName ?? '',
    'spec.restartPolicy': (pod) => pod.spec.restartPolicy ?? '',
    'spec.schedulerName': (pod) => pod.spec.schedulerName ?? '',
    'spec.serviceAccountName': (pod) => pod.spec.serviceAccountName ?? '',
    'spec.hostNetwork': (pod) => String(pod.spec.hostNetwork ?? false),
    'status.phase': (pod) => pod.status?.phase ?? '',
    'status.podIP': (pod) => pod.status?.podIP ?? '',
    'status.nominatedNodeName': (pod) => pod.status?.nominatedNodeName ?? '',
  },
  columns: [
    nameColumn(),
    column('Ready', 'Containers that are ready, of all.', podReadyCount),
    column('Status', 'What it is doing, or what keeps it from it.', podStatusWord),
    column('Restarts', 'How often its container was started anew, and when last.', podRestarts),
    ageColumn(),
    column('IP', 'Its first address.', (pod) => pod.status?.podIPs?.[0]?.ip || pod.status?.podIP || '<none>', {
      priority: 1,
    }),
    column('Node', 'Where it runs.', (pod) => pod.spec.nodeName || '<none>', { priority: 1 }),
    column('Nominated Node', 'Always <none>.', (pod) => pod.status?.nominatedNodeName || '<none>', { priority: 1 }),
    column('Readiness Gates', 'Those that hold, of all.', podGates, { priority: 1 }),
  ],
  prepareForCreate: (pod) => ({ ...pod, status: { phase: 'Pending', qosClass: qosClassOf(pod) } }),
  validateUpdate: (pod, old, errors, options) => {
    const spec = { ...pod.spec };
    if (options.subresource === 'binding') {
      if (old.spec.nodeName && old.spec.nodeName !== spec.nodeName) {
        errors.push(invalid('spec.nodeName', spec.nodeName ?? '', `the pod is on node ${old.spec.nodeName} already`));
      }
      delete spec.nodeName;
      if (old.spec.nodeName) spec.nodeName = old.spec.nodeName;
    }
    const tolerations = old.spec.tolerations ?? [];
    if (!tolerations.every((one) => spec.tolerations?.some((other) => jsonEqual(one, other)))) {
      errors.push(
        forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds'),
      );
    }
    const kept = ({ containers, initContainers, ...one }: typeof spec) => ({
      ...{ ...one, tolerations, containers: containers?.map(withoutImage) },
      initContainers: initContainers?.map(withoutImage),
    });
    if (!jsonEqual(kept(spec), kept(old.spec))) {
      const only =
        '`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.tolerations` (only additions to existing tolerations)';
      errors.push(forbidden('spec', `pod updates may not change fields other than ${only}`));
    }
  },
});

function withoutImage<T extends { readonly image?: string }>({ image: _, ...rest }: T): Omit<T, 'image'> {
  return rest;
}

// Which nodes and neighbours a pod would like. What it cannot do without is refused: only labels of the node can be asked for.
import { labelSelector } from './meta.ts';
import { qualifiedName } from './name-checks.ts';
import { field, listOf, message, unsupported } from './schema.ts';

const notLookedAt = 'preferences are not looked at; the pods of a set are spread over the nodes';
const useSelector = 'use nodeSelector';

const nodeRequirement = message('NodeSelectorRequirement', {
  key: field(1, 'string', { required: true, check: qualifiedName }),
  operator: field(2, 'string', {
    required: true,
    allowed: ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'],
  }),
  values: field(3, listOf('string')),
});

const nodeTerm = message(
  'NodeSelectorTerm',
  { matchExpressions: field(1, listOf(nodeRequirement)), matchFields: field(2, listOf(nodeRequirement)) },
  { isAtomic: true },
);

const weight = { required: true, min: 1, max: 100 } as const;

const nodeAffinity = message('NodeAffinity', {
  requiredDuringSchedulingIgnoredDuringExecution: unsupported(1, useSelector),
  preferredDuringSchedulingIgnoredDuringExecution: field(
    2,
    listOf(message('PreferredSchedulingTerm', { weight: field(1, 'int32', weight), preference: field(2, nodeTerm) })),
    { ignored: notLookedAt },
  ),
});

const podTerm = message('PodAffinityTerm', {
  labelSelector: field(1, labelSelector),
  namespaces: field(2, listOf('string')),
  topologyKey: field(3, 'string', { required: true, check: qualifiedName }),
  namespaceSelector: field(4, labelSelector),
  matchLabelKeys: field(5, listOf('string')),
  mismatchLabelKeys: field(6, listOf('string')),
});

const weightedPodTerms = listOf(
  message('WeightedPodAffinityTerm', { weight: field(1, 'int32', weight), podAffinityTerm: field(2, podTerm) }),
);

const podAffinity = message('PodAffinity', {
  requiredDuringSchedulingIgnoredDuringExecution: unsupported(1, useSelector, { type: listOf('any') }),
  preferredDuringSchedulingIgnoredDuringExecution: field(2, weightedPodTerms, { ignored: notLookedAt }),
});

const podAntiAffinity = message('PodAntiAffinity', {
  requiredDuringSchedulingIgnoredDuringExecution: unsupported(
    1,
    'leave it out, the pods of a set are spread over the nodes; or give them the same hostPort: one a node',
    { type: listOf('any') },
  ),
  preferredDuringSchedulingIgnoredDuringExecution: field(2, weightedPodTerms, { ignored: notLookedAt }),
});

export const affinity = message('Affinity', {
  nodeAffinity: field(1, nodeAffinity),
  podAffinity: field(2, podAffinity),
  podAntiAffinity: field(3, podAntiAffinity),
});

export const topologySpreadConstraint = message('TopologySpreadConstraint', {
  maxSkew: field(1, 'int32', { required: true, min: 1 }),
  topologyKey: field(2, 'string', { required: true, check: qualifiedName }),
  whenUnsatisfiable: field(3, 'string', {
    required: true,
    check: (when: string) =>
      when === 'ScheduleAnyway'
        ? []
        : ['not supported by Flotilla: use ScheduleAnyway; the pods of a set are spread over the nodes'],
  }),
  labelSelector: field(4, labelSelector),
  minDomains: unsupported(5, 'leave it out', { type: 'int32', optional: true }),
  nodeAffinityPolicy: field(6, 'string', { optional: true, allowed: ['Honor', 'Ignore'] }),
  nodeTaintsPolicy: field(7, 'string', { optional: true, allowed: ['Honor', 'Ignore'] }),
  matchLabelKeys: field(8, listOf('string')),
});

import type { PodDisruptionBudgetSpec } from 'kubernetes-types/policy/v1.js';
import { ageColumn, column, defineKind, nameColumn, statusSubresource } from '../define-kind.ts';
import { invalid } from '../field-errors.ts';
import type { PodDisruptionBudget } from '../kinds.ts';
import { condition, conditionList, labelSelector, objectMeta } from '../meta.ts';
import { nonNegativeMessage } from '../name-checks.ts';
import { field, listOf, mapOf, message } from '../schema.ts';

const identity = { group: 'policy', version: 'v1', kind: 'PodDisruptionBudget', plural: 'poddisruptionbudgets' };

const countOrShare = (value: number | string): readonly string[] => {
  if (typeof value === 'number') return value < 0 ? [nonNegativeMessage] : [];
  const [, percent] = /^([0-9]+)%$/.exec(value) ?? [];
  if (percent === undefined) return ["must be an integer or percentage (e.g '5%')"];
  return Number(percent) > 100 ? ['must not be greater than 100%'] : [];
};

const spec = message(
  'PodDisruptionBudgetSpec',
  {
    minAvailable: field(1, 'intOrString', {
      optional: true,
      check: countOrShare,
      description: 'So many pods, or such a share of them, stay healthy.',
    }),
    selector: field(2, labelSelector, {
      patchStrategy: 'replace',
      description: 'Absent: no pods; empty: all of the namespace.',
    }),
    maxUnavailable: field(3, 'intOrString', {
      optional: true,
      check: countOrShare,
      description: 'So many pods, or such a share of them, may be missing.',
    }),
    unhealthyPodEvictionPolicy: field(4, 'string', {
      optional: true,
      allowed: ['AlwaysAllow', 'IfHealthyBudget'],
      description: 'Whether pods that run but are not ready may always be evicted. Default: IfHealthyBudget.',
    }),
  },
  {
    validate: (one: PodDisruptionBudgetSpec, path, errors) => {
      if (one.minAvailable !== undefined && one.maxUnavailable !== undefined) {
        errors.push(invalid(path, one, 'minAvailable and maxUnavailable cannot be both set'));
      }
    },
  },
);

export const podDisruptionBudgets = defineKind<PodDisruptionBudget>({
  ...identity,
  shortNames: ['pdb'],
  subresources: [statusSubresource(identity)],
  message: message('PodDisruptionBudget', {
    metadata: field(1, objectMeta),
    spec: field(2, spec, { default: {} }),
    status: field(
      3,
      message('PodDisruptionBudgetStatus', {
        observedGeneration: field(1, 'int64'),
        disruptedPods: field(2, mapOf('time'), {
          description: 'Pods whose eviction was granted and that the controller has not seen go yet; by name.',
        }),
        disruptionsAllowed: field(3, 'int32', { description: 'So many more pods may be evicted now.' }),
        currentHealthy: field(4, 'int32'),
        desiredHealthy: field(5, 'int32'),
        expectedPods: field(6, 'int32'),
        conditions: field(7, listOf(condition), conditionList),
      }),
    ),
  }),
  columns: [
    nameColumn(),
    column('Min Available', 'Pods that stay.', (one) => one.spec.minAvailable ?? 'N/A'),
    column('Max Unavailable', 'Pods that may be missing.', (one) => one.spec.maxUnavailable ?? 'N/A'),
    column('Allowed Disruptions', 'Evictions possible now.', (one) => one.status?.disruptionsAllowed ?? 0, {
      type: 'integer',
    }),
    ageColumn(),
  ],
});

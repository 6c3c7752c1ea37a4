import { ageColumn, column, defineKind, nameColumn, scaleSubresource, statusSubresource } from '../define-kind.ts';
import type { ReplicaSet } from '../kinds.ts';
import { conditionList, labelSelector, objectMeta } from '../meta.ts';
import { podTemplateSpec, validateSelectorAndTemplate } from '../pod-template.ts';
import { field, listOf, message } from '../schema.ts';
import { renderLabelSelector } from '../selectors.ts';
import { requireSame } from '../validate.ts';
import { containersOf, imagesOf } from './template-columns.ts';

const identity = { group: 'apps', version: 'v1', kind: 'ReplicaSet', plural: 'replicasets' };

const replicaSetCondition = message('ReplicaSetCondition', {
  type: field(1, 'string'),
  status: field(2, 'string'),
  lastTransitionTime: field(3, 'time'),
  reason: field(4, 'string'),
  message: field(5, 'string'),
});

export const replicaSets = defineKind<ReplicaSet>({
  ...identity,
  shortNames: ['rs'],
  categories: ['all'],
  encrypted: true,
  subresources: [scaleSubresource, statusSubresource(identity)],
  message: message('ReplicaSet', {
    metadata: field(1, objectMeta),
    spec: field(
      2,
      message('ReplicaSetSpec', {
        replicas: field(1, 'int32', { optional: true, default: 1, min: 0 }),
        selector: field(2, labelSelector),
        template: field(3, podTemplateSpec, { required: true }),
        minReadySeconds: field(4, 'int32', { min: 0 }),
      }),
      { required: true },
    ),
    status: field(
      3,
      message('ReplicaSetStatus', {
        replicas: field(1, 'int32'),
        fullyLabeledReplicas: field(2, 'int32'),
        observedGeneration: field(3, 'int64'),
        readyReplicas: field(4, 'int32'),
        availableReplicas: field(5, 'int32'),
        conditions: field(6, listOf(replicaSetCondition), conditionList),
        terminatingReplicas: field(7, 'int32', { optional: true }),
      }),
    ),
  }),
  selectableFields: { 'status.replicas': (one) => String(one.status?.replicas ?? 0) },
  columns: [
    nameColumn(),
    column('Desired', 'Pods wanted.', (one) => one.spec.replicas ?? 0, { type: 'integer' }),
    column('Current', 'Pods that exist.', (one) => one.status?.replicas ?? 0, { type: 'integer' }),
    column('Ready', 'Pods that are ready.', (one) => one.status?.readyReplicas ?? 0, { type: 'integer' }),
    ageColumn(),
    column('Containers', 'Their names.', (one) => containersOf(one.spec.template), { priority: 1 }),
    column('Images', 'Their images.', (one) => imagesOf(one.spec.template), { priority: 1 }),
    column('Selector', 'Labels of its pods.', (one) => renderLabelSelector(one.spec.selector) || '<none>', {
      priority: 1,
    }),
  ],
  prepareForCreate: (one) => ({ ...one, status: { replicas: 0 } }),
  validate: (one, errors) => {
    if (one.spec) validateSelectorAndTemplate(one.spec, 'ReplicaSet', errors);
  },
  validateUpdate: (one, old, errors) => requireSame(one.spec.selector, old.spec.selector, 'spec.selector', errors),
});

import { ageColumn, column, defineKind, nameColumn, scaleSubresource, statusSubresource } from '../define-kind.ts';
import { forbidden, invalid } from '../field-errors.ts';
import type { Deployment } from '../kinds.ts';
import { conditionList, labelSelector, objectMeta } from '../meta.ts';
import { countOrPercent } from '../name-checks.ts';
import { podTemplateSpec, validateSelectorAndTemplate } from '../pod-template.ts';
import { type FieldError, field, type JsonObject, listOf, message } from '../schema.ts';
import { renderLabelSelector } from '../selectors.ts';
import { updateRuleProblems } from '../update-rules.ts';
import { requireSame } from '../validate.ts';
import { containersOf, imagesOf } from './template-columns.ts';

const identity = { group: 'apps', version: 'v1', kind: 'Deployment', plural: 'deployments' };

const rollingUpdate = message('RollingUpdateDeployment', {
  maxUnavailable: field(1, 'intOrString', { optional: true, default: '25%', check: countOrPercent }),
  maxSurge: field(2, 'intOrString', { optional: true, default: '25%', check: countOrPercent }),
});

const strategy = message(
  'DeploymentStrategy',
  {
    type: field(1, 'string', { default: 'RollingUpdate', allowed: ['Recreate', 'RollingUpdate'] }),
    rollingUpdate: field(2, rollingUpdate),
  },
  {
    defaults: (object) => {
      if (object.type === 'RollingUpdate') object.rollingUpdate ??= { maxUnavailable: '25%', maxSurge: '25%' };
    },
    validate: validateStrategy,
  },
);

const deploymentSpec = message('DeploymentSpec', {
  replicas: field(1, 'int32', { optional: true, default: 1, min: 0 }),
  selector: field(2, labelSelector),
  template: field(3, podTemplateSpec, { required: true }),
  strategy: field(4, strategy, { default: {}, patchStrategy: 'retainKeys' }),
  minReadySeconds: field(5, 'int32', { min: 0 }),
  revisionHistoryLimit: field(6, 'int32', { optional: true, default: 10, min: 0 }),
  paused: field(7, 'bool'),
  progressDeadlineSeconds: field(9, 'int32', { optional: true, default: 600, min: 0 }),
});

const deploymentCondition = message('DeploymentCondition', {
  type: field(1, 'string'),
  status: field(2, 'string'),
  reason: field(4, 'string'),
  message: field(5, 'string'),
  lastUpdateTime: field(6, 'time'),
  lastTransitionTime: field(7, 'time'),
});

const deploymentStatus = message('DeploymentStatus', {
  observedGeneration: field(1, 'int64'),
  replicas: field(2, 'int32'),
  updatedReplicas: field(3, 'int32'),
  availableReplicas: field(4, 'int32'),
  unavailableReplicas: field(5, 'int32'),
  conditions: field(6, listOf(deploymentCondition), conditionList),
  readyReplicas: field(7, 'int32'),
  collisionCount: field(8, 'int32', { optional: true }),
  terminatingReplicas: field(9, 'int32', { optional: true }),
});

export const deployments = defineKind<Deployment>({
  ...identity,
  shortNames: ['deploy'],
  categories: ['all'],
  encrypted: true,
  subresources: [scaleSubresource, statusSubresource(identity)],
  message: message('Deployment', {
    metadata: field(1, objectMeta),
    spec: field(2, deploymentSpec, { required: true }),
    status: field(3, deploymentStatus),
  }),
  columns: [
    nameColumn(),
    column('Ready', 'Pods that are ready, of those wanted.', (one) => {
      return `${one.status?.readyReplicas ?? 0}/${one.spec.replicas ?? 0}`;
    }),
    column('Up-to-date', 'Pods of the newest template.', (one) => one.status?.updatedReplicas ?? 0, {
      type: 'integer',
    }),
    column('Available', 'Pods that have been ready for long enough.', (one) => one.status?.availableReplicas ?? 0, {
      type: 'integer',
    }),
    ageColumn(),
    column('Containers', 'Their names.', (one) => containersOf(one.spec.template), { priority: 1 }),
    column('Images', 'Their images.', (one) => imagesOf(one.spec.template), { priority: 1 }),
    column('Selector', 'Labels of its pods.', (one) => renderLabelSelector(one.spec.selector) || '<none>', {
      priority: 1,
    }),
  ],
  prepareForCreate: (one) => ({ ...one, status: {} }),
  validate: (one, errors) => {
    if (!one.spec) return;
    validateSelectorAndTemplate(one.spec, 'deployment', errors);
    const { progressDeadlineSeconds: deadline = 600, minReadySeconds = 0 } = one.spec;
    if (deadline <= minReadySeconds) {
      errors.push(invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds'));
    }
    for (const { key, value, problem } of updateRuleProblems(one.metadata.annotations)) {
      errors.push(invalid(`metadata.annotations[${key}]`, value, problem));
    }
  },
  validateUpdate: (one, old, errors) => requireSame(one.spec.selector, old.spec.selector, 'spec.selector', errors),
});

function validateStrategy(one: JsonObject, path: string, errors: FieldError[]): void {
  if (one.type === 'Recreate' && one.rollingUpdate !== undefined) {
    errors.push(forbidden(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'"));
  }
  const { maxUnavailable, maxSurge } = (one.rollingUpdate ?? {}) as { maxUnavailable?: unknown; maxSurge?: unknown };
  const isZero = (value: unknown) => value === 0 || value === '0%';
  if (isZero(maxUnavailable) && isZero(maxSurge)) {
    errors.push(invalid(`${path}.rollingUpdate.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0'));
  }
  if (typeof maxUnavailable === 'string' && Number.parseInt(maxUnavailable, 10) > 100) {
    errors.push(invalid(`${path}.rollingUpdate.maxUnavailable`, maxUnavailable, 'must not be greater than 100%'));
  }
}

import { validateLabelSelector } from './label-selector-validation.ts';
import { field, listOf, mapOf, message } from './schema.ts';

const managedFieldsEntry = message('ManagedFieldsEntry', {
  manager: field(1, 'string'),
  operation: field(2, 'string'),
  apiVersion: field(3, 'string'),
  time: field(4, 'time'),
  fieldsType: field(6, 'string'),
  fieldsV1: field(7, 'fieldsV1'),
  subresource: field(8, 'string'),
});

const ownerReference = message(
  'OwnerReference',
  {
    kind: field(1, 'string'),
    name: field(3, 'string'),
    uid: field(4, 'string'),
    apiVersion: field(5, 'string'),
    controller: field(6, 'bool', { optional: true }),
    blockOwnerDeletion: field(7, 'bool', { optional: true }),
  },
  {
    isAtomic: true,
    description: 'An object that this one belongs to: it goes when the last of its owners is gone.',
  },
);

const metaFields = {
  name: field(1, 'string', { description: 'Unique in its namespace; never changes.' }),
  generateName: field(2, 'string', { description: 'Without a name: the server adds five random characters to this.' }),
  namespace: field(3, 'string'),
  selfLink: field(4, 'string'),
  uid: field(5, 'string', { description: 'Written by the server; never used again.' }),
  resourceVersion: field(6, 'string', { description: 'Opaque; changes with each write.' }),
  generation: field(7, 'int64', { description: 'Counts changes of the spec.' }),
  creationTimestamp: field(8, 'time'),
  deletionTimestamp: field(9, 'time', {
    description: 'Present once deletion was asked for: when its grace period ends.',
  }),
  deletionGracePeriodSeconds: field(10, 'int64', { optional: true }),
  labels: field(11, mapOf('string')),
  annotations: field(12, mapOf('string')),
  ownerReferences: field(13, listOf(ownerReference), { mergeKey: 'uid', mapKeys: ['uid'] }),
  finalizers: field(14, listOf('string'), {
    patchStrategy: 'merge',
    listType: 'set',
    description: 'The object stays until each of them has been taken away.',
  }),
  managedFields: field(17, listOf(managedFieldsEntry)),
};

/** Empty lists and maps are never there, as with Kubernetes' clients and servers. */
export const objectMeta = message('ObjectMeta', metaFields, {
  defaults: (meta) => {
    for (const name of ['labels', 'annotations', 'ownerReferences', 'finalizers'] as const) {
      const value = meta[name];
      if (typeof value === 'object' && value !== null && Object.keys(value).length === 0) delete meta[name];
    }
  },
});

const labelSelectorRequirement = message('LabelSelectorRequirement', {
  key: field(1, 'string'),
  operator: field(2, 'string', { description: 'In, NotIn, Exists or DoesNotExist.' }),
  values: field(3, listOf('string')),
});

export const labelSelector = message(
  'LabelSelector',
  {
    matchLabels: field(1, mapOf('string')),
    matchExpressions: field(2, listOf(labelSelectorRequirement)),
  },
  {
    isAtomic: true,
    validate: validateLabelSelector,
    description: 'Labels that objects must have; all of it must hold.',
  },
);

export const objectReference = message(
  'ObjectReference',
  {
    kind: field(1, 'string'),
    namespace: field(2, 'string'),
    name: field(3, 'string'),
    uid: field(4, 'string'),
    apiVersion: field(5, 'string'),
    resourceVersion: field(6, 'string'),
    fieldPath: field(7, 'string'),
  },
  { isAtomic: true },
);

export const localObjectReference = message('LocalObjectReference', { name: field(1, 'string') }, { isAtomic: true });

export const condition = message('Condition', {
  type: field(1, 'string'),
  status: field(2, 'string'),
  observedGeneration: field(3, 'int64'),
  lastTransitionTime: field(4, 'time'),
  reason: field(5, 'string'),
  message: field(6, 'string'),
});

/** How lists of conditions are merged, everywhere. */
export const conditionList = { mergeKey: 'type', mapKeys: ['type'] } as const;

export const deleteOptions = message('DeleteOptions', {
  gracePeriodSeconds: field(1, 'int64', { optional: true, min: 0 }),
  preconditions: field(
    2,
    message('Preconditions', {
      uid: field(1, 'string', { optional: true }),
      resourceVersion: field(2, 'string', { optional: true }),
    }),
  ),
  orphanDependents: field(3, 'bool', { optional: true }),
  propagationPolicy: field(4, 'string', { allowed: ['Background', 'Foreground', 'Orphan'] }),
  dryRun: field(5, listOf('string')),
  ignoreStoreReadErrorWithClusterBreakingPotential: field(6, 'bool', { optional: true }),
});

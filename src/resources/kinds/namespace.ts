import { ageColumn, column, defineKind, nameColumn, statusSubresource } from '../define-kind.ts';
import { invalid } from '../field-errors.ts';
import type { Namespace } from '../kinds.ts';
import { conditionList, objectMeta } from '../meta.ts';
import { qualifiedName } from '../name-checks.ts';
import { field, listOf, message } from '../schema.ts';

const identity = { group: '', version: 'v1', kind: 'Namespace', plural: 'namespaces' };

const namespaceCondition = message('NamespaceCondition', {
  type: field(1, 'string'),
  status: field(2, 'string'),
  lastTransitionTime: field(4, 'time'),
  reason: field(5, 'string'),
  message: field(6, 'string'),
});

export const namespaces = defineKind<Namespace>({
  ...identity,
  shortNames: ['ns'],
  namespaced: false,
  nameRule: 'label',
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: [statusSubresource(identity)],
  message: message('Namespace', {
    metadata: field(1, objectMeta),
    spec: field(2, message('NamespaceSpec', { finalizers: field(1, listOf('string')) })),
    status: field(
      3,
      message('NamespaceStatus', {
        phase: field(1, 'string'),
        conditions: field(2, listOf(namespaceCondition), conditionList),
      }),
    ),
  }),
  selectableFields: { 'status.phase': (namespace) => namespace.status?.phase ?? '' },
  columns: [
    nameColumn(),
    column('Status', 'Active, or Terminating while what is in it goes.', (namespace) => namespace.status?.phase ?? ''),
    ageColumn(),
  ],
  prepareForCreate: (namespace) => ({ ...namespace, status: { phase: 'Active' } }),
  validate: (namespace, errors) => {
    namespace.spec?.finalizers?.forEach((finalizer, index) => {
      for (const problem of qualifiedName(finalizer))
        errors.push(invalid(`spec.finalizers[${index}]`, finalizer, problem));
    });
  },
});

import type { RoleRef, Subject } from 'kubernetes-types/rbac/v1.js';
import { ageColumn, column, defineKind, nameColumn } from '../define-kind.ts';
import { invalid, notSupported, required } from '../field-errors.ts';
import { jsonEqual } from '../json.ts';
import type { ClusterRoleBinding, RoleBinding } from '../kinds.ts';
import { objectMeta } from '../meta.ts';
import { dnsSubdomain, pathSegment } from '../name-checks.ts';
import { type FieldError, field, listOf, message } from '../schema.ts';
import { rbacGroup } from './role.ts';

const serviceAccountKind = 'ServiceAccount';

const subject = message(
  'Subject',
  {
    kind: field(1, 'string', { description: 'User, Group or ServiceAccount.' }),
    apiGroup: field(2, 'string'),
    name: field(3, 'string'),
    namespace: field(4, 'string', { description: 'Of a ServiceAccount.' }),
  },
  {
    defaults: (one) => {
      if (!one.apiGroup && (one.kind === 'User' || one.kind === 'Group')) one.apiGroup = rbacGroup;
    },
  },
);

const subjects = field(2, listOf(subject), { description: 'Who gets what the role allows.' });

const roleRef = field(
  3,
  message('RoleRef', {
    apiGroup: field(1, 'string', { default: rbacGroup }),
    kind: field(2, 'string', { description: 'Role or ClusterRole.' }),
    name: field(3, 'string'),
  }),
  { default: {}, isAtomic: true, description: 'The role; never changes.' },
);

type Binding = RoleBinding | ClusterRoleBinding;

export const roleBindings = defineKind<RoleBinding>({
  group: rbacGroup,
  version: 'v1',
  kind: 'RoleBinding',
  plural: 'rolebindings',
  nameRule: 'pathSegment',
  message: message('RoleBinding', { metadata: field(1, objectMeta), subjects, roleRef }),
  columns: bindingColumns(),
  validate: (binding, errors) => validateBinding(binding, ['Role', 'ClusterRole'], errors),
  validateUpdate: (binding, old, errors) => requireSameRole(binding, old, errors),
});

export const clusterRoleBindings = defineKind<ClusterRoleBinding>({
  group: rbacGroup,
  version: 'v1',
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  namespaced: false,
  nameRule: 'pathSegment',
  message: message('ClusterRoleBinding', { metadata: field(1, objectMeta), subjects, roleRef }),
  columns: bindingColumns(),
  validate: (binding, errors) => validateBinding(binding, ['ClusterRole'], errors),
  validateUpdate: (binding, old, errors) => requireSameRole(binding, old, errors),
});

function bindingColumns() {
  const named = (kind: string) => (binding: Binding) =>
    (binding.subjects ?? [])
      .filter((one) => one.kind === kind)
      .map((one) => (kind === serviceAccountKind ? `${one.namespace ?? ''}/${one.name}` : one.name))
      .join(', ');
  return [
    nameColumn<Binding>(),
    column<Binding>('Role', 'What it gives.', ({ roleRef }) => `${roleRef.kind}/${roleRef.name}`),
    ageColumn<Binding>(),
    column<Binding>('Users', 'Who gets it.', named('User'), { priority: 1 }),
    column<Binding>('Groups', 'Who gets it.', named('Group'), { priority: 1 }),
    column<Binding>('ServiceAccounts', 'Who gets it.', named(serviceAccountKind), { priority: 1 }),
  ];
}

function validateBinding(
  { metadata, roleRef, subjects }: Binding,
  kinds: readonly string[],
  errors: FieldError[],
): void {
  validateRoleRef(roleRef, kinds, errors);
  subjects?.forEach((one, index) => {
    validateSubject(one, metadata.namespace !== undefined, `subjects[${index}]`, errors);
  });
}

function validateRoleRef(roleRef: RoleRef, kinds: readonly string[], errors: FieldError[]): void {
  if (roleRef.apiGroup !== rbacGroup) errors.push(notSupported('roleRef.apiGroup', roleRef.apiGroup, [rbacGroup]));
  if (!kinds.includes(roleRef.kind)) errors.push(notSupported('roleRef.kind', roleRef.kind ?? '', kinds));
  if (!roleRef.name) errors.push(required('roleRef.name'));
  else for (const problem of pathSegment(roleRef.name)) errors.push(invalid('roleRef.name', roleRef.name, problem));
}

function validateSubject(one: Subject, isNamespaced: boolean, path: string, errors: FieldError[]): void {
  if (!one.name) errors.push(required(`${path}.name`));
  switch (one.kind) {
    case serviceAccountKind:
      if (one.name)
        for (const problem of dnsSubdomain(one.name)) errors.push(invalid(`${path}.name`, one.name, problem));
      if (one.apiGroup) errors.push(notSupported(`${path}.apiGroup`, one.apiGroup, ['']));
      if (!isNamespaced && !one.namespace) errors.push(required(`${path}.namespace`));
      return;
    case 'User':
    case 'Group':
      if (one.apiGroup !== rbacGroup) errors.push(notSupported(`${path}.apiGroup`, one.apiGroup ?? '', [rbacGroup]));
      return;
    default:
      errors.push(notSupported(`${path}.kind`, one.kind ?? '', [serviceAccountKind, 'User', 'Group']));
  }
}

function requireSameRole(binding: Binding, old: Binding, errors: FieldError[]): void {
  if (!jsonEqual(binding.roleRef, old.roleRef))
    errors.push(invalid('roleRef', binding.roleRef, 'cannot change roleRef'));
}

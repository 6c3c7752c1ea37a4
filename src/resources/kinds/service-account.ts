import { ageColumn, column, defineKind, nameColumn } from '../define-kind.ts';
import type { Subresource } from '../kind.ts';
import type { ServiceAccount } from '../kinds.ts';
import { localObjectReference, objectMeta, objectReference } from '../meta.ts';
import { field, listOf, message } from '../schema.ts';

const tokenSubresource: Subresource = {
  name: 'token',
  verbs: ['create'],
  responseKind: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
};

export const serviceAccounts = defineKind<ServiceAccount>({
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  shortNames: ['sa'],
  subresources: [tokenSubresource],
  message: message('ServiceAccount', {
    metadata: field(1, objectMeta),
    secrets: field(2, listOf(objectReference), {
      mergeKey: 'name',
      mapKeys: ['name'],
      description: 'Kept for old clients; tokens are asked for through the subresource token.',
    }),
    imagePullSecrets: field(3, listOf(localObjectReference), {
      description: 'Given to pods that name none themselves.',
    }),
    automountServiceAccountToken: field(4, 'bool', {
      optional: true,
      description: 'False: its pods get no token, unless they ask for one. Default: true.',
    }),
  }),
  columns: [
    nameColumn(),
    column('Secrets', 'How many it refers to.', (account) => account.secrets?.length ?? 0, { type: 'integer' }),
    ageColumn(),
  ],
});

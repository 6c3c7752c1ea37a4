import { ageColumn, column, defineKind, nameColumn } from '../define-kind.ts';
import type { Lease } from '../kinds.ts';
import { objectMeta } from '../meta.ts';
import { field, message, unsupported } from '../schema.ts';

const leaseSpec = message('LeaseSpec', {
  holderIdentity: field(1, 'string', { optional: true }),
  leaseDurationSeconds: field(2, 'int32', {
    optional: true,
    check: (seconds: number) => (seconds > 0 ? [] : ['must be greater than 0']),
  }),
  acquireTime: field(3, 'microTime', { optional: true }),
  renewTime: field(4, 'microTime', { optional: true }),
  leaseTransitions: field(5, 'int32', { optional: true, min: 0 }),
  strategy: unsupported(6, 'leave it out; the holder renews, anybody else waits', { type: 'string', optional: true }),
  preferredHolder: unsupported(7, 'leave it out; the holder renews, anybody else waits', {
    type: 'string',
    optional: true,
  }),
});

export const leases = defineKind<Lease>({
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  message: message('Lease', { metadata: field(1, objectMeta), spec: field(2, leaseSpec, { default: {} }) }),
  columns: [nameColumn(), column('Holder', 'Who has it.', (lease) => lease.spec.holderIdentity ?? ''), ageColumn()],
});

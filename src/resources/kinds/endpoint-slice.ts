import { ageColumn, column, defineKind, nameColumn } from '../define-kind.ts';
import { tooLong } from '../field-errors.ts';
import type { EndpointSlice } from '../kinds.ts';
import { objectMeta, objectReference } from '../meta.ts';
import { field, listOf, mapOf, message } from '../schema.ts';
import { requireSame } from '../validate.ts';

const endpoint = message('Endpoint', {
  addresses: field(1, listOf('string'), { required: true, listType: 'set' }),
  conditions: field(
    2,
    message('EndpointConditions', {
      ready: field(1, 'bool', { optional: true }),
      serving: field(2, 'bool', { optional: true }),
      terminating: field(3, 'bool', { optional: true }),
    }),
  ),
  hostname: field(3, 'string', { optional: true }),
  targetRef: field(4, objectReference),
  deprecatedTopology: field(5, mapOf('string')),
  nodeName: field(6, 'string', { optional: true }),
  zone: field(7, 'string', { optional: true }),
  hints: field(8, 'any'),
});

const endpointPort = message(
  'EndpointPort',
  {
    name: field(1, 'string', { optional: true, default: '' }),
    protocol: field(2, 'string', { optional: true, default: 'TCP', allowed: ['TCP', 'UDP', 'SCTP'] }),
    port: field(3, 'int32', { optional: true, min: 1, max: 65535 }),
    appProtocol: field(4, 'string', { optional: true }),
  },
  { isAtomic: true },
);

const maxEndpoints = 1000;
const shownEndpoints = 3;

export const endpointSlices = defineKind<EndpointSlice>({
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  message: message('EndpointSlice', {
    metadata: field(1, objectMeta),
    endpoints: field(2, listOf(endpoint)),
    ports: field(3, listOf(endpointPort)),
    addressType: field(4, 'string', { required: true, allowed: ['IPv4', 'IPv6', 'FQDN'] }),
  }),
  columns: [
    nameColumn(),
    column('AddressType', 'Of its addresses.', (slice) => slice.addressType),
    column('Ports', 'Of each endpoint.', (slice) => {
      return slice.ports?.map((one) => String(one.port ?? '*')).join(',') || '<unset>';
    }),
    column('Endpoints', 'Their addresses.', endpointsText),
    ageColumn(),
  ],
  validate: (slice, errors) => {
    if ((slice.endpoints?.length ?? 0) > maxEndpoints) errors.push(tooLong('endpoints', maxEndpoints));
  },
  validateUpdate: (slice, old, errors) => requireSame(slice.addressType, old.addressType, 'addressType', errors),
});

function endpointsText(slice: EndpointSlice): string {
  const addresses = slice.endpoints?.flatMap((one) => one.addresses) ?? [];
  if (addresses.length === 0) return '<unset>';
  const more = addresses.length - shownEndpoints;
  const shown = addresses.slice(0, shownEndpoints).join(',');
  return more > 0 ? `${shown} + ${more} more...` : shown;
}

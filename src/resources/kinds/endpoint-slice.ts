import { isIP } from 'node:net';
import { ageColumn, column, defineKind, nameColumn } from '../define-kind.ts';
import { duplicate, invalid, required, tooMany } from '../field-errors.ts';
import type { EndpointSlice } from '../kinds.ts';
import { objectMeta, objectReference } from '../meta.ts';
import { type FieldError, field, listOf, mapOf, message } from '../schema.ts';
import { requireSame } from '../validate.ts';

const endpoint = message('Endpoint', {
  addresses: field(1, listOf('string'), { listType: 'set' }),
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
const maxAddresses = 100;
const maxShown = 3;

export const endpointSlices = defineKind<EndpointSlice>({
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  message: message('EndpointSlice', {
    metadata: field(1, objectMeta),
    endpoints: field(2, listOf(endpoint)),
    ports: field(3, listOf(endpointPort)),
    addressType: field(4, 'string', { required: true, allowed: ['FQDN', 'IPv4', 'IPv6'] }),
  }),
  columns: [
    nameColumn(),
    column('AddressType', 'Of its addresses.', (slice) => slice.addressType),
    column('Ports', 'Of each endpoint.', (slice) => {
      return shortList(
        slice.ports?.map((one) => (one.port === undefined ? (one.name ?? '*') : String(one.port))) ?? [],
      );
    }),
    column('Endpoints', 'Their addresses.', endpointsText),
    ageColumn(),
  ],
  validate: (slice, errors) => {
    validateEndpoints(slice, errors);
    const names = new Set<string>();
    slice.ports?.forEach(({ name = '' }, index) => {
      if (names.has(name)) errors.push(duplicate(`ports[${index}].name`, name));
      names.add(name);
    });
  },
  validateUpdate: (slice, old, errors) => requireSame(slice.addressType, old.addressType, 'addressType', errors),
});

function validateEndpoints({ addressType, endpoints = [] }: EndpointSlice, errors: FieldError[]): void {
  if (endpoints.length > maxEndpoints) {
    errors.push(tooMany('endpoints', endpoints.length, maxEndpoints));
    return;
  }
  const version = { IPv4: 4, IPv6: 6 }[addressType];
  for (const [index, { addresses = [] }] of endpoints.entries()) {
    const path = `endpoints[${index}].addresses`;
    if (addresses.length === 0) errors.push(required(path, 'must contain at least 1 address'));
    if (addresses.length > maxAddresses) errors.push(tooMany(path, addresses.length, maxAddresses));
    for (const [at, address] of addresses.entries()) {
      if (version === undefined || isIP(address) === version) continue;
      errors.push(invalid(`${path}[${at}]`, address, `must be an ${addressType} address`));
    }
  }
}

function endpointsText(slice: EndpointSlice): string {
  return shortList(slice.endpoints?.flatMap((one) => one.addresses) ?? []);
}

/** `a,b,c + 2 more...` */
function shortList(items: readonly string[]): string {
  const more = items.length - maxShown;
  const shown = items.slice(0, maxShown).join(',');
  return more > 0 ? `${shown} + ${more} more...` : shown || '<unset>';
}

import type { AddressGroup } from '../address-groups.ts';
import { ageColumn, column, defineKind, nameColumn } from '../define-kind.ts';
import { tooMany } from '../field-errors.ts';
import { labelSelector, objectMeta } from '../meta.ts';
import { ipAddress, portName, portNumber } from '../name-checks.ts';
import { field, listOf, message } from '../schema.ts';
import { renderLabelSelector } from '../selectors.ts';
import { requireSame } from '../validate.ts';

/** Of one object; the controller makes smaller ones. */
const maxAddresses = 1_000;

const addresses = {
  check: (list: readonly string[]) => list.flatMap((one) => ipAddress(one).map((problem) => `${one}: ${problem}`)),
  description: 'Of pods, sorted.',
} as const;

const spec = message(
  'AddressGroupSpec',
  {
    namespace: field(0, 'string', { description: 'Pods of this namespace.' }),
    namespaceSelector: field(0, labelSelector, { description: 'Pods of namespaces with these labels; empty: all.' }),
    podSelector: field(0, labelSelector, { description: 'Of those, the ones with these labels; absent: all.' }),
    hosts: field(0, 'bool', { description: 'The nodes themselves, by the address with which they call pods.' }),
    part: field(0, 'int32', { min: 0, description: 'From 0: which part of the addresses this object holds.' }),
  },
  { description: 'Whose addresses they are.' },
);

const subset = message(
  'AddressSubset',
  {
    addresses: field(0, listOf('string'), addresses),
    ports: field(
      0,
      listOf(
        message(
          'NamedPort',
          {
            name: field(0, 'string', { required: true, check: portName }),
            protocol: field(0, 'string', { default: 'TCP', allowed: ['SCTP', 'TCP', 'UDP'] }),
            port: field(0, 'int32', { required: true, check: portNumber }),
          },
          { description: 'A port that has a name in these pods.' },
        ),
      ),
      { description: 'The named ports of each of these pods.' },
    ),
  },
  { description: 'Addresses of pods with the same named ports.' },
);

export const addressGroups = defineKind<AddressGroup>({
  ...{ group: 'flotilla.dev', version: 'v1alpha1', kind: 'AddressGroup', plural: 'addressgroups' },
  namespaced: false,
  message: message(
    'AddressGroup',
    {
      metadata: field(0, objectMeta),
      spec: field(0, spec, { required: true }),
      subsets: field(0, listOf(subset), { description: 'The addresses; written by the server.' }),
    },
    { description: 'Addresses of the pods that a NetworkPolicy names as peers, for the nodes.' },
  ),
  columns: [
    nameColumn(),
    column('Peers', 'Whose addresses they are.', (group) => whose(group)),
    column('Addresses', 'How many it holds.', (group) => addressesOf(group).length, { type: 'integer' }),
    ageColumn(),
  ],
  validate: (group, errors) => {
    const count = addressesOf(group).length;
    if (count > maxAddresses) errors.push(tooMany('subsets', count, maxAddresses));
  },
  validateUpdate: (group, old, errors) => requireSame(group.spec, old.spec, 'spec', errors),
});

function addressesOf(group: AddressGroup): string[] {
  return group.subsets?.flatMap((one) => one.addresses ?? []) ?? [];
}

function whose({ spec: { hosts, namespace, namespaceSelector, podSelector } }: AddressGroup): string {
  if (hosts) return 'hosts';
  const where = namespace ?? (renderLabelSelector(namespaceSelector) || '*');
  return `${where}/${renderLabelSelector(podSelector) || '*'}`;
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupNameOf, groupsOf, selectorOfPeer } from '../address-groups.ts';
import { decodeValue } from '../decode.ts';
import { applyDefaults } from '../defaults.ts';
import { networkPolicies } from '../kinds.ts';
import type { JsonObject } from '../schema.ts';
import { renderTable } from '../table.ts';
import { validate } from '../validate.ts';

const metadata = { name: 'x', namespace: 'shop', creationTimestamp: '2026-01-01T00:00:00Z' };

function policy(spec: JsonObject, annotations: Record<string, string> = {}) {
  const value = { metadata: { ...metadata, annotations }, spec };
  return applyDefaults(networkPolicies, decodeValue(networkPolicies, value, { strictness: 'Strict' }).object);
}
const from = (peer: JsonObject) => ({ ingress: [{ from: [peer] }] });
const ports = (port: JsonObject) => ({ ingress: [{ ports: [port] }] });
const block = (cidr: string, ...except: string[]) => from({ ipBlock: { cidr, except } });

const refused: readonly (readonly [JsonObject, readonly string[]])[] = [
  [{}, []],
  [block('192.0.2.0/24', '192.0.2.8/29'), []],
  [block('2001:db8::/32', '2001:db8:1::/48'), []],
  [ports({ port: 'http' }), []],
  [ports({ port: 8000, endPort: 8000 }), []],
  [from({}), ['spec.ingress[0].from[0]: Required value: must specify a peer']],
  [
    from({ podSelector: {}, ipBlock: { cidr: '192.0.2.0/24' } }),
    ['spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer'],
  ],
  [from({ ipBlock: {} }), ['spec.ingress[0].from[0].ipBlock.cidr: Required value']],
  [
    block('192.0.2.0'),
    [
      'spec.ingress[0].from[0].ipBlock.cidr: Invalid value: "192.0.2.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
    ],
  ],
  ...['192.0.2.0/24', '192.0.0.0/16', '198.51.100.0/29', '2001:db8::/64'].map((except): [JsonObject, string[]] => [
    block('192.0.2.0/24', except),
    [`spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "${except}": must be a strict subset of \`cidr\``],
  ]),
  [
    ports({ protocol: 'ICMP' }),
    ['spec.ingress[0].ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"'],
  ],
  [ports({ port: 0 }), ['spec.ingress[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive']],
  [
    ports({ port: 90, endPort: 80 }),
    ['spec.ingress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `port`'],
  ],
  [
    ports({ port: 'http', endPort: 80 }),
    ['spec.ingress[0].ports[0].endPort: Invalid value: 80: may not be specified when `port` is non-numeric'],
  ],
  [
    ports({ endPort: 80 }),
    ['spec.ingress[0].ports[0].endPort: Invalid value: 80: may not be specified when `port` is not specified'],
  ],
  [
    { policyTypes: ['Sideways'] },
    ['spec.policyTypes[0]: Unsupported value: "Sideways": supported values: "Egress", "Ingress"'],
  ],
  [
    { podSelector: { matchExpressions: [{ key: 'a', operator: 'Near' }] } },
    ['spec.podSelector.matchExpressions[0].operator: Invalid value: "Near": not a valid selector operator'],
  ],
];

for (const [spec, expected] of refused) {
  test(`network policy ${JSON.stringify(spec)}`, () => {
    const found = validate(networkPolicies, policy(spec)).map((error) => `${error.field}: ${error.message}`);
    assert.deepEqual(found, expected);
  });
}

test('policy types follow from the rules', () => {
  assert.deepEqual(policy({}).spec.policyTypes, ['Ingress']);
  assert.deepEqual(policy({ egress: [{}] }).spec.policyTypes, ['Ingress', 'Egress']);
  assert.deepEqual(policy({ policyTypes: ['Egress'] }).spec.policyTypes, ['Egress']);
  assert.equal(policy(ports({ port: 80 })).spec.ingress?.[0]?.ports?.[0]?.protocol, 'TCP');
});

test('the list shows whose connections it is about', () => {
  const shown = (spec: JsonObject) =>
    renderTable(networkPolicies, [policy(spec)], { nowMs: Date.parse('2026-01-01T00:05:00Z') }).rows[0]?.cells;
  assert.deepEqual(shown({ podSelector: { matchLabels: { app: 'web' } } }), ['x', 'app=web', '5m']);
  assert.deepEqual(shown({}), ['x', '<none>', '5m']);
});

test('selectors that mean the same are one group, others are not', () => {
  const name = (peer: JsonObject, namespace = 'shop') => {
    const [found] = policy(from(peer)).spec.ingress?.[0]?.from ?? [];
    const selector = found && selectorOfPeer(namespace, found);
    return selector && groupNameOf(selector);
  };
  const web = name({ podSelector: { matchLabels: { app: 'web', tier: 'a' } } });
  const inOtherWords = {
    matchLabels: { tier: 'a' },
    matchExpressions: [{ key: 'app', operator: 'In', values: ['web', 'web'] }],
  };
  assert.equal(name({ podSelector: inOtherWords }), web);
  assert.equal(name({ podSelector: { matchLabels: { tier: 'a', app: 'web' } } }), web);
  assert.equal(name({ namespaceSelector: {} }), name({ namespaceSelector: {}, podSelector: {} }));
  const different = [
    web,
    name({ podSelector: { matchLabels: { app: 'web', tier: 'a' } } }, 'other'),
    name({ podSelector: { matchLabels: { app: 'web' } } }),
    name({ podSelector: {} }),
    name({ namespaceSelector: {} }),
    name({ namespaceSelector: { matchLabels: { app: 'web', tier: 'a' } } }),
  ];
  assert.equal(new Set(different).size, different.length);
  assert.equal(name({ ipBlock: { cidr: '192.0.2.0/24' } }), undefined);
});

test('a policy uses the groups of its peers, of named ports without a peer, and the hosts when it says so', () => {
  const web = { podSelector: { matchLabels: { app: 'web' } } };
  const sizes = (spec: JsonObject, annotations = {}) => groupsOf(policy(spec, annotations)).size;
  assert.equal(sizes({ ingress: [{ from: [web] }, { from: [web, { namespaceSelector: {} }] }] }), 2);
  assert.equal(sizes({ ingress: [{ ports: [{ port: 'http' }] }] }), 0);
  assert.equal(sizes({ egress: [{ ports: [{ port: 'http' }] }] }), 1);
  assert.equal(sizes({ egress: [{ to: [web] }], policyTypes: ['Ingress'] }), 0);
  assert.equal(sizes({ ingress: [] }, { 'flotilla.dev/from-hosts': 'true' }), 1);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Kind, resourceNameOf } from '../../resources/kind.ts';
import type { Pod } from '../../resources/kinds.ts';
import * as kinds from '../../resources/kinds.ts';
import type { ApiObject } from '../../resources/object.ts';
import type { Attributes, User } from '../request.ts';
import { createAuthorizer } from './authorizer.ts';
import { RoleIndex } from './rbac/role-index.ts';

const admin: User = { name: 'flotilla:admin', groups: ['system:masters'] };
/** With the label of ingress nodes; the others have none, or `false`. */
const h3: User = { name: 'system:node:h3', groups: ['system:nodes'], grid: 'main' };
const h1: User = { name: 'system:node:h1', groups: ['system:nodes'], grid: 'main' };
const join: User = { name: 'system:join:t', groups: ['system:authenticated'], grid: 'main' };

function pod(name: string, nodeName: string, spec: Partial<Pod['spec']> = {}): Pod {
  const containers = [{ name: 'c', image: 'i' }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', uid: `uid-${name}` },
    spec: { containers, nodeName, ...spec },
  };
}

const pods = [
  pod('a', 'h1', {
    containers: [
      {
        name: 'c',
        image: 'i',
        env: [
          { name: 'A', valueFrom: { secretKeyRef: { name: 'env-secret', key: 'k' } } },
          { name: 'B', valueFrom: { configMapKeyRef: { name: 'env-config', key: 'k' } } },
        ],
        envFrom: [{ secretRef: { name: 'from-secret' } }, { configMapRef: { name: 'from-config' } }],
      },
    ],
    initContainers: [{ name: 'i', image: 'i', envFrom: [{ secretRef: { name: 'init-secret' } }] }],
    imagePullSecrets: [{ name: 'pull-secret' }],
    volumes: [
      { name: '1', secret: { secretName: 'volume-secret' } },
      { name: '2', configMap: { name: 'volume-config' } },
      { name: '3', persistentVolumeClaim: { claimName: 'data' } },
      {
        name: '4',
        projected: { sources: [{ secret: { name: 'projected-secret' } }, { configMap: { name: 'projected-config' } }] },
      },
    ],
  }),
  pod('b', 'h2', { imagePullSecrets: [{ name: 'h2-secret' }] }),
];
const stored: Record<string, ApiObject> = {
  'nodes//h1': node('h1', { podCIDRs: ['10.80.1.0/24'] }),
  'nodes//h3': node('h3', {}, { 'flotilla.dev/ingress': '' }),
  'nodes//h4': node('h4', {}, { 'flotilla.dev/ingress': 'false' }),
  'volumes.flotilla.dev/shop/data': volume('data', 'h1'),
  'volumes.flotilla.dev/shop/other': volume('other', 'h2'),
  'volumes.flotilla.dev/shop/idle': volume('idle', 'h1'),
  'volumes.flotilla.dev/shop/leaving': deleted(volume('leaving', 'h1')),
  'volumes.flotilla.dev/shop/elsewhere': deleted(volume('elsewhere', 'h2')),
};

function deleted<T extends ApiObject>(object: T): T {
  return { ...object, metadata: { ...object.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
}

function node(name: string, spec: object, labels: Record<string, string> = {}): ApiObject & { spec: object } {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, spec };
}
function volume(name: string, nodeName: string): ApiObject & { spec: object } {
  return {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Volume',
    metadata: { name, namespace: 'shop' },
    spec: { nodeName },
  };
}

const authorizer = createAuthorizer({
  pods: {
    podsOnNode: (grid, nodeName) => (grid === 'main' ? pods.filter((one) => one.spec.nodeName === nodeName) : []),
    pod: (grid, namespace, name) =>
      grid === 'main' && namespace === 'shop' ? pods.find((one) => one.metadata.name === name) : undefined,
  },
  roles: { of: () => new RoleIndex() },
  find: (_grid, kind, namespace, name) => stored[`${resourceNameOf(kind)}/${namespace ?? ''}/${name}`],
});

function tokenFor(boundObjectRef: object | undefined): Ask {
  const object = { metadata: { name: 'default' }, spec: { boundObjectRef } } as unknown as ApiObject;
  return { ...shop, name: 'default', subresource: 'token', object };
}

type Ask = Partial<Omit<Attributes, 'kind' | 'verb'>>;
function allowed(user: User, verb: Attributes['verb'], kind: Kind, ask: Ask = {}): boolean {
  return authorizer.authorize(user, { verb, kind, grid: 'main', ...ask }).allowed;
}

const shop = { namespace: 'shop' };
const own = { fieldSelector: 'spec.nodeName=h1' };
const lease = { namespace: 'kube-node-lease' };

const yes: readonly (readonly [string, Attributes['verb'], Kind, Ask?])[] = [
  ['its pods', 'list', kinds.pods, own],
  ['its pods, with more selectors', 'watch', kinds.pods, { fieldSelector: 'status.phase!=Failed,spec.nodeName=h1' }],
  ['one of its pods', 'get', kinds.pods, { ...shop, name: 'a' }],
  ['the status of its pod', 'patch', kinds.pods, { ...shop, name: 'a', subresource: 'status' }],
  ['the status, second time', 'update', kinds.pods, { ...shop, name: 'a', subresource: 'status', object: pods[0]! }],
  ['the end of its pod', 'delete', kinds.pods, { ...shop, name: 'a' }],
  ['the eviction of its pod', 'create', kinds.pods, { ...shop, name: 'a', subresource: 'eviction' }],
  ['all nodes', 'list', kinds.nodes],
  ['another node', 'get', kinds.nodes, { name: 'h2' }],
  ['itself, new', 'create', kinds.nodes, { object: node('h1', {}) }],
  ['itself', 'update', kinds.nodes, { name: 'h1', object: node('h1', { podCIDRs: ['10.80.1.0/24'] }) }],
  ['its status', 'patch', kinds.nodes, { name: 'h1', subresource: 'status' }],
  ...['env-secret', 'from-secret', 'init-secret', 'pull-secret', 'volume-secret', 'projected-secret'].map(
    (name) => [`Secret ${name}`, 'get', kinds.secrets, { ...shop, name }] as const,
  ),
  ...['env-config', 'from-config', 'volume-config', 'projected-config'].map(
    (name) => [`ConfigMap ${name}`, 'get', kinds.configMaps, { ...shop, name }] as const,
  ),
  ['one Secret, watched', 'watch', kinds.secrets, { ...shop, fieldSelector: 'metadata.name=env-secret' }],
  ['its volume', 'get', kinds.volumes, { ...shop, name: 'data' }],
  ['its idle volume', 'get', kinds.volumes, { ...shop, name: 'idle' }],
  ['its volumes', 'list', kinds.volumes, own],
  ['the status of its volume', 'patch', kinds.volumes, { ...shop, name: 'data', subresource: 'status' }],
  [
    'its volume, let go',
    'patch',
    kinds.volumes,
    { ...shop, name: 'leaving', object: deleted(volume('leaving', 'h1')) },
  ],
  ['services', 'watch', kinds.services],
  ['endpoints', 'list', kinds.endpointSlices],
  ['network policies', 'watch', kinds.networkPolicies],
  ['whom they mean', 'watch', kinds.addressGroups],
  ['an event', 'create', kinds.events, shop],
  ['a token of its pod’s account', 'create', kinds.serviceAccounts, { ...shop, name: 'default', subresource: 'token' }],
  ['that token, for its pod', 'create', kinds.serviceAccounts, tokenFor({ kind: 'Pod', name: 'a', uid: 'uid-a' })],
  ['its lease', 'update', kinds.leases, { ...lease, name: 'h1' }],
  ['its lease, new', 'create', kinds.leases, { ...lease, object: node('h1', {}) }],
];

const no: readonly (readonly [string, Attributes['verb'], Kind, Ask?])[] = [
  ['all pods', 'list', kinds.pods],
  ['pods of h2', 'list', kinds.pods, { fieldSelector: 'spec.nodeName=h2' }],
  ['pods not of h1', 'list', kinds.pods, { fieldSelector: 'spec.nodeName!=h1' }],
  ['a pod of h2', 'get', kinds.pods, { ...shop, name: 'b' }],
  ['a pod that does not exist', 'get', kinds.pods, { ...shop, name: 'nope' }],
  ['the status of a pod of h2', 'patch', kinds.pods, { ...shop, name: 'b', subresource: 'status' }],
  ['the spec of its pod', 'patch', kinds.pods, { ...shop, name: 'a' }],
  ['logs', 'get', kinds.pods, { ...shop, name: 'a', subresource: 'log' }],
  ['exec', 'create', kinds.pods, { ...shop, name: 'a', subresource: 'exec' }],
  ['the eviction of a pod of h2', 'create', kinds.pods, { ...shop, name: 'b', subresource: 'eviction' }],
  ['binding', 'create', kinds.pods, { ...shop, name: 'a', subresource: 'binding' }],
  ['a new pod', 'create', kinds.pods, shop],
  ['all pods deleted', 'deletecollection', kinds.pods, own],
  ['its volume that stays', 'patch', kinds.volumes, { ...shop, name: 'data' }],
  ['a volume of h2, let go', 'patch', kinds.volumes, { ...shop, name: 'elsewhere' }],
  ['its volume, moved', 'patch', kinds.volumes, { ...shop, name: 'leaving', object: deleted(volume('leaving', 'h2')) }],
  ['its pod moved', 'update', kinds.pods, { ...shop, name: 'a', subresource: 'status', object: pods[1]! }],
  ['another node', 'update', kinds.nodes, { name: 'h2' }],
  ['another node, new', 'create', kinds.nodes, { object: node('h3', {}) }],
  [
    'a token of an account that no pod of it uses',
    'create',
    kinds.serviceAccounts,
    { ...shop, name: 'x', subresource: 'token' },
  ],
  ['a token for nobody', 'create', kinds.serviceAccounts, tokenFor(undefined)],
  ['a token for a pod of h2', 'create', kinds.serviceAccounts, tokenFor({ kind: 'Pod', name: 'b', uid: 'uid-b' })],
  ['a token for a former pod', 'create', kinds.serviceAccounts, tokenFor({ kind: 'Pod', name: 'a', uid: 'uid-0' })],
  ['service accounts', 'list', kinds.serviceAccounts, shop],
  ['its own range', 'update', kinds.nodes, { name: 'h1', object: node('h1', { podCIDRs: ['10.80.0.0/12'] }) }],
  ['its own end', 'delete', kinds.nodes, { name: 'h1' }],
  ['a Secret of h2', 'get', kinds.secrets, { ...shop, name: 'h2-secret' }],
  ['a Secret of another namespace', 'get', kinds.secrets, { namespace: 'bank', name: 'env-secret' }],
  ['all Secrets', 'list', kinds.secrets, shop],
  ['all Secrets but one', 'list', kinds.secrets, { ...shop, fieldSelector: 'metadata.name!=env-secret' }],
  [
    'Secrets by a longer selector',
    'list',
    kinds.secrets,
    { ...shop, fieldSelector: 'metadata.name=env-secret,type=x' },
  ],
  ['a ConfigMap as Secret', 'get', kinds.secrets, { ...shop, name: 'env-config' }],
  ['a Secret written', 'update', kinds.secrets, { ...shop, name: 'env-secret' }],
  ['a volume of h2', 'get', kinds.volumes, { ...shop, name: 'other' }],
  ['the volume itself', 'update', kinds.volumes, { ...shop, name: 'data' }],
  ['a service written', 'create', kinds.services, shop],
  ['a network policy, deleted', 'delete', kinds.networkPolicies, { ...shop, name: 'a' }],
  ['whom it means, written', 'update', kinds.addressGroups, { name: 'a' }],
  ['events read', 'list', kinds.events, shop],
  ['the lease of h2', 'update', kinds.leases, { ...lease, name: 'h2' }],
  ['the leader lease', 'update', kinds.leases, { namespace: 'flotilla-system', name: 'h1' }],
  ['another lease, new', 'create', kinds.leases, { ...lease, object: node('h2', {}) }],
  ['stacks', 'list', kinds.stacks],
  ['deployments', 'list', kinds.deployments],
  ['tokens', 'list', kinds.tokens],
  ['namespaces', 'list', kinds.namespaces],
];

for (const [name, verb, kind, ask] of yes) {
  test(`node h1 may ${verb} ${name}`, () => assert.equal(allowed(h1, verb, kind, ask), true));
  test(`an admin may ${verb} ${name}`, () => assert.equal(allowed(admin, verb, kind, ask), true));
  test(`a join token may not ${verb} ${name}`, () => assert.equal(allowed(join, verb, kind, ask), false));
  test(`node h1 may not ${verb} ${name} in another grid`, () =>
    assert.equal(allowed(h1, verb, kind, { ...ask, grid: 'blue' }), false));
}
for (const [name, verb, kind, ask] of no) {
  test(`node h1 may not ${verb} ${name}`, () => assert.equal(allowed(h1, verb, kind, ask), false));
}

const ownGrid = { fieldSelector: 'metadata.name=main' };
const ofGrid: readonly (readonly [string, Attributes['verb'], Kind, Partial<Attributes>, boolean])[] = [
  ['the settings of its grid', 'get', kinds.grids as Kind, { name: 'main' }, true],
  ['its grid alone', 'list', kinds.grids as Kind, ownGrid, true],
  ['its grid alone', 'watch', kinds.grids as Kind, ownGrid, true],
  ['another grid', 'get', kinds.grids as Kind, { name: 'blue' }, false],
  ['all grids', 'list', kinds.grids as Kind, {}, false],
  ['all grids but one', 'watch', kinds.grids as Kind, { fieldSelector: 'metadata.name!=main' }, false],
  ['another grid', 'watch', kinds.grids as Kind, { fieldSelector: 'metadata.name=blue' }, false],
  ['its grid', 'update', kinds.grids as Kind, { name: 'main' }, false],
  ['its grid', 'patch', kinds.grids as Kind, { name: 'main' }, false],
  ['its grid', 'delete', kinds.grids as Kind, { name: 'main' }, false],
  ['tokens', 'list', kinds.tokens as Kind, { fieldSelector: 'metadata.name=main' }, false],
  ['nodes', 'get', kinds.nodes as Kind, { name: 'main' }, false],
];
for (const [what, verb, kind, ask, isAllowed] of ofGrid) {
  const words = isAllowed ? 'may' : 'may not';
  test(`in the grid system node h1 ${words} ${verb} ${what} (${ask.fieldSelector ?? ask.name ?? ''})`, () => {
    assert.equal(allowed(h1, verb, kind, { ...ask, grid: 'system' }), isAllowed);
    assert.equal(allowed(join, verb, kind, { ...ask, grid: 'system' }), false);
  });
}

test('a refusal is in the words of Kubernetes and says why', () => {
  const decision = authorizer.authorize(h1, {
    verb: 'get',
    kind: kinds.secrets,
    grid: 'main',
    namespace: 'shop',
    name: 'x',
  });
  assert.deepEqual(decision, {
    allowed: false,
    reason:
      'User "system:node:h1" cannot get resource "secrets" in API group "" in the namespace "shop": no pod on node "h1" uses it',
    why: 'no pod on node "h1" uses it',
  });
});

const letsIn: readonly (readonly [Kind, Ask?])[] = [
  [kinds.ingresses],
  [kinds.ingressClasses],
  [kinds.certificates],
  [kinds.secrets, { fieldSelector: 'type=kubernetes.io/tls' }],
  [kinds.secrets, { fieldSelector: 'type==flotilla.dev/basic-auth', ...shop }],
];
for (const [kind, ask = {}] of letsIn) {
  const what = `${kind.plural} ${ask.fieldSelector ?? ''}`;
  test(`an ingress node may list and watch ${what}; no other node may, and none writes`, () => {
    for (const verb of ['list', 'watch'] as const) {
      assert.equal(allowed(h3, verb, kind, ask), true);
      assert.equal(allowed(h1, verb, kind, ask), false);
      assert.equal(allowed({ ...h3, name: 'system:node:h4' }, verb, kind, ask), false);
      assert.equal(allowed({ ...h3, name: 'system:node:h5' }, verb, kind, ask), false, 'nobody knows it');
    }
    for (const verb of ['create', 'update', 'patch', 'delete', 'deletecollection'] as const) {
      assert.equal(allowed(h3, verb, kind, { ...shop, name: 'x', ...ask }), false, verb);
    }
    assert.equal(allowed(h3, 'update', kind, { ...shop, name: 'x', subresource: 'status' }), false);
  });
}

test('an ingress node reads no other Secrets', () => {
  const no: readonly Ask[] = [
    {},
    shop,
    { fieldSelector: 'type=Opaque' },
    { fieldSelector: 'type!=kubernetes.io/tls' },
    { fieldSelector: 'metadata.name=type=kubernetes.io/tls' },
    { fieldSelector: 'type=kubernetes.io/tlsx' },
    { fieldSelector: 'xtype=kubernetes.io/tls' },
  ];
  for (const ask of no) assert.equal(allowed(h3, 'list', kinds.secrets, ask), false, JSON.stringify(ask));
  const asked = { ...shop, name: 'env-secret', fieldSelector: 'type=kubernetes.io/tls' };
  assert.equal(allowed(h3, 'get', kinds.secrets, asked), false);
});

test('a node makes no ingress node of itself, and does not cease to be one', () => {
  const labelled = (name: string, value?: string) =>
    node(
      name,
      name === 'h1' ? { podCIDRs: ['10.80.1.0/24'] } : {},
      value === undefined ? {} : { 'flotilla.dev/ingress': value },
    );
  const may = (user: User, verb: Attributes['verb'], object: ApiObject) =>
    allowed(user, verb, kinds.nodes, { name: object.metadata.name, object });
  const h2: User = { ...h1, name: 'system:node:h2' };
  assert.equal(may(h2, 'create', labelled('h2')), true);
  for (const value of ['', 'true', 'false']) {
    assert.equal(may(h2, 'create', labelled('h2', value)), false);
    for (const verb of ['update', 'patch'] as const) assert.equal(may(h1, verb, labelled('h1', value)), false);
  }
  assert.equal(may(h3, 'update', labelled('h3', '')), true);
  assert.equal(may(h3, 'patch', labelled('h3', 'yes')), false);
  assert.equal(may(h3, 'update', labelled('h3')), false);
});

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
  'volumes.flotilla.dev/shop/data': volume('data', 'h1'),
  'volumes.flotilla.dev/shop/other': volume('other', 'h2'),
  'volumes.flotilla.dev/shop/idle': volume('idle', 'h1'),
  'volumes.flotilla.dev/shop/leaving': deleted(volume('leaving', 'h1')),
  'volumes.flotilla.dev/shop/elsewhere': deleted(volume('elsewhere', 'h2')),
};

function deleted<T extends ApiObject>(object: T): T {
  return { ...object, metadata: { ...object.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
}

function node(name: string, spec: object): ApiObject & { spec: object } {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec };
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

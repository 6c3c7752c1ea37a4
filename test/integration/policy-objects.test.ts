import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ports, world } from '../../src/adapters/policy/contract.ts';
import { createNftPolicyEnforcer } from '../../src/adapters/policy/nft.ts';
import { type PolicyKeeper, startPolicyKeeper } from '../../src/agent/network/policy-keeper.ts';
import { type Informer, startInformer } from '../../src/client/informer.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import {
  type AddressGroup,
  addressGroups,
  type NetworkPolicy,
  namespaces,
  networkPolicies,
  type Pod,
  pods,
} from '../../src/resources/kinds.ts';
import { hostAddress, type PolicyHosts, remoteGateway, startPolicyHosts } from './policy-hosts.ts';
import { eventually, readyStatus, type SimulatedCluster, startSimulatedCluster } from './simulated-cluster.ts';

const { own, other, remote, outside } = world;
/** Pods of the API: two on host 1, one on host 2; their addresses are those of the namespaces. */
const places: Readonly<Record<string, { address: string; namespace: string; nodeName: string }>> = {
  db: { address: own, namespace: 'shop', nodeName: 'h1' },
  web: { address: other, namespace: 'shop', nodeName: 'h1' },
  job: { address: remote, namespace: 'team', nodeName: 'h2' },
};

type Spec = Partial<NetworkPolicy['spec']>;
type Expected = readonly (readonly [from: string, to: string, port: number, isAllowed: boolean])[];

/** Policies of namespace `shop`, and which connections come about. */
const cases: readonly (readonly [string, readonly Spec[], Expected])[] = [
  [
    'no policy',
    [],
    [
      [other, own, 8000, true],
      [remote, own, 8000, true],
      [outside, own, 8000, true],
    ],
  ],
  [
    'deny all',
    [{ podSelector: {} }],
    [
      [other, own, 8000, false],
      [remote, other, 8000, false],
      [outside, own, 8000, false],
      [own, remote, 8000, true],
      [hostAddress, own, 8000, true],
    ],
  ],
  [
    'deny all and allow all',
    [{ podSelector: {} }, { ingress: [{}] }],
    [
      [other, own, 8000, true],
      [remote, own, 8000, true],
      [outside, own, 8000, true],
    ],
  ],
  [
    'pods of the same namespace, by labels, on one bridge',
    [
      {
        podSelector: { matchLabels: { app: 'db' } },
        ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }],
      },
    ],
    [
      [other, own, 8000, true],
      [remote, own, 8000, false],
      [remote, other, 8000, true],
    ],
  ],
  [
    'pods of another namespace, on another host',
    [
      {
        ingress: [
          {
            from: [
              { namespaceSelector: { matchLabels: { team: 'blue' } }, podSelector: { matchLabels: { app: 'job' } } },
            ],
          },
        ],
      },
    ],
    [
      [remote, own, 8000, true],
      [other, own, 8000, false],
    ],
  ],
  [
    'a namespace that has no such label',
    [{ ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'red' } } }] }] }],
    [
      [remote, own, 8000, false],
      [other, own, 8000, false],
    ],
  ],
  [
    'a named port, for everybody',
    [{ podSelector: { matchLabels: { app: 'db' } }, ingress: [{ ports: [{ port: 'admin' }] }] }],
    [
      [outside, own, 8001, true],
      [other, own, 8001, true],
      [other, own, 8000, false],
      [remote, own, 8002, false],
    ],
  ],
  [
    'addresses outside, but for some',
    [{ ingress: [{ from: [{ ipBlock: { cidr: '192.0.2.0/24', except: ['192.0.2.128/25'] } }] }] }],
    [
      [outside, own, 8000, true],
      [other, own, 8000, false],
    ],
  ],
  [
    'addresses outside that are the exception',
    [{ ingress: [{ from: [{ ipBlock: { cidr: '192.0.2.0/24', except: ['192.0.2.0/28'] } }] }] }],
    [[outside, own, 8000, false]],
  ],
  [
    'what pods may connect to: a named port of another namespace',
    [{ egress: [{ to: [{ namespaceSelector: {} }], ports: [{ port: 'admin' }] }], policyTypes: ['Egress'] }],
    [
      [own, remote, 8001, true],
      [own, remote, 8000, false],
      [own, outside, 8000, false],
      [own, hostAddress, 8000, true],
      [remote, own, 8000, true],
    ],
  ],
];

describe('network policies, from the API to the kernel', () => {
  let hosts: PolicyHosts;
  let cluster: SimulatedCluster;
  let keeper: PolicyKeeper;
  let following: readonly [Informer<NetworkPolicy>, Informer<AddressGroup>, Informer<Pod>];

  before(async () => {
    hosts = await startPolicyHosts(`fl-npo-${process.pid}`);
    cluster = await startSimulatedCluster({
      outcomeOf: ({ metadata }) => readyStatus(places[metadata.name]?.address ?? '10.80.9.9'),
    });
    const { client } = cluster;
    for (const name of ['h1', 'h2']) await cluster.addNode(name);
    for (const [name, team] of [
      ['shop', 'green'],
      ['team', 'blue'],
    ] as const) {
      await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { team } } });
    }
    const common = { client, log: silentLogger, onChange: () => keeper?.changed() };
    following = [
      startInformer({ ...common, kind: networkPolicies }),
      startInformer({ ...common, kind: addressGroups }),
      startInformer({ ...common, kind: pods, fieldSelector: 'spec.nodeName=h1' }),
    ];
    const [policies, groups, ownPods] = following;
    await Promise.all(following.map((one) => one.synced));
    keeper = startPolicyKeeper({
      enforcer: createNftPolicyEnforcer({ exec: hosts.inHost, log: silentLogger }),
      view: () => ({
        ownPods: [...ownPods.list()].map((pod) => ({ pod, address: places[pod.metadata.name]?.address ?? '' })),
        policies: policies.list(),
        groups: groups.list(),
      }),
      clock: systemClock,
      log: silentLogger,
    });
    for (const [name, { namespace, nodeName }] of Object.entries(places)) {
      const port = { name: 'admin', containerPort: ports[1] };
      await client.create(pods, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace, labels: { app: name } },
        spec: { nodeName, containers: [{ name: 'main', image: 'i', ports: [port] }] },
      });
    }
    await eventually(async () => {
      const found = (await client.list(pods)).items.map((pod) => pod.status?.podIP);
      assert.deepEqual(found.sort(), [own, other, remote].sort());
    });
  });
  after(async () => {
    await keeper.stop();
    for (const one of following) await one.stop();
    await cluster.stop();
    await hosts.stop();
  });

  /** Each connection turns out as it should, once the host follows the API. */
  const expect = (expected: Expected) =>
    eventually(async () => {
      await keeper.ensure(AbortSignal.timeout(5_000));
      const found = await Promise.all(
        expected.map(async ([from, to, port, isAllowed]) => {
          const attempt = { from, to, port, protocol: 'TCP' as const };
          return [from, to, port, await hosts.connect(attempt, isAllowed)] as const;
        }),
      );
      assert.deepEqual(found, expected);
    }, 10_000);

  const put = async (specs: readonly Spec[], annotations: Record<string, string> = {}) => {
    const { client } = cluster;
    for (const { metadata } of (await client.list(networkPolicies)).items) {
      await client.delete(networkPolicies, { namespace: metadata.namespace, name: metadata.name });
    }
    for (const [at, spec] of specs.entries()) {
      await client.create(networkPolicies, {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name: `p${at}`, namespace: 'shop', annotations },
        spec: { podSelector: {}, ...spec },
      });
    }
  };

  for (const [title, specs, expected] of cases) {
    test(title, async () => {
      await put(specs);
      await expect(expected);
    });
  }

  test('other hosts, where the policy says so', async () => {
    await put([{}]);
    await expect([[remoteGateway, own, 8000, false]]);
    await put([{}], { 'flotilla.dev/from-hosts': 'true' });
    await expect([
      [remoteGateway, own, 8000, true],
      [remote, own, 8000, false],
    ]);
  });

  test('the label of a pod elsewhere, and that of its namespace, decide at once; a policy that is gone forbids nothing', async () => {
    const blueJobs = {
      namespaceSelector: { matchLabels: { team: 'blue' } },
      podSelector: { matchLabels: { app: 'job' } },
    };
    await put([{ ingress: [{ from: [blueJobs] }] }]);
    const label = (app: string) =>
      cluster.client.patch(
        pods,
        { namespace: 'team', name: 'job' },
        { type: 'merge', body: { metadata: { labels: { app } } } },
      );
    const team = (name: string) =>
      cluster.client.patch(
        namespaces,
        { name: 'team' },
        { type: 'merge', body: { metadata: { labels: { team: name } } } },
      );
    await expect([[remote, own, 8000, true]]);
    await label('other');
    await expect([[remote, own, 8000, false]]);
    await label('job');
    await expect([[remote, own, 8000, true]]);
    await team('red');
    await expect([[remote, own, 8000, false]]);
    await put([]);
    await expect([
      [remote, own, 8000, true],
      [outside, own, 8000, true],
    ]);
    await eventually(async () => assert.deepEqual((await cluster.client.list(addressGroups)).items, []));
    assert.doesNotMatch((await hosts.inHost(['nft', 'list', 'tables'])).stdout, /flotilla/);
  });

  test('rules that somebody flushed come back by themselves', async () => {
    await put([{}]);
    await expect([[other, own, 8000, false]]);
    await hosts.inHost(['nft', 'flush', 'ruleset']);
    await eventually(async () => {
      assert.match((await hosts.inHost(['nft', 'list', 'tables'])).stdout, /flotilla_policy/);
    }, 10_000);
    await expect([[other, own, 8000, false]]);
  });
});

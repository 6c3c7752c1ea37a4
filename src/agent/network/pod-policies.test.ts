import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Attempt, stateAllows } from '../../adapters/policy/fake.ts';
import { groupsOf, namedPortsOf, partName } from '../../resources/address-groups.ts';
import { decodeValue } from '../../resources/decode.ts';
import { applyDefaults } from '../../resources/defaults.ts';
import { type AddressGroup, type NetworkPolicy, networkPolicies, type Pod } from '../../resources/kinds.ts';
import type { JsonObject } from '../../resources/schema.ts';
import { matchesSelector } from '../../resources/selectors.ts';
import { validate } from '../../resources/validate.ts';
import { PodPolicies } from './pod-policies.ts';

/** All pods of a small grid; those of the node under test, and others. */
interface Somebody {
  readonly pod: Pod;
  readonly address: string;
}
const namespaceLabels: Readonly<Record<string, Record<string, string>>> = { a: { team: 'x' }, b: { team: 'y' } };

function somebody(index: number, namespace: string, labels: Record<string, string>, port = 8080): Somebody {
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `p${index}`, namespace, labels, uid: `${index}` },
    spec: { containers: [{ name: 'c', image: 'i', ports: [{ name: 'http', containerPort: port }] }] },
  };
  return { pod, address: `10.80.0.${index + 2}` };
}

function policy(
  name: string,
  namespace: string,
  spec: JsonObject,
  annotations: Record<string, string> = {},
): NetworkPolicy {
  const value = { metadata: { name, namespace, annotations }, spec };
  return applyDefaults(networkPolicies, decodeValue(networkPolicies, value, { strictness: 'Strict' }).object);
}

/** What the address group controller would have written, said in the simplest way. */
function groupsFor(policies: readonly NetworkPolicy[], all: readonly Somebody[]): AddressGroup[] {
  const wanted = new Map(policies.flatMap((one) => [...groupsOf(one)]));
  return [...wanted].map(([name, selector]) => {
    const isIn = ({ pod: { metadata } }: Somebody) =>
      (selector.namespace === undefined
        ? matchesSelector(selector.namespaceSelector, namespaceLabels[metadata.namespace ?? ''])
        : selector.namespace === metadata.namespace) &&
      (selector.podSelector === undefined || matchesSelector(selector.podSelector, metadata.labels));
    const members = selector.hosts ? [] : all.filter(isIn);
    return {
      apiVersion: 'flotilla.dev/v1alpha1',
      kind: 'AddressGroup',
      metadata: { name: partName(name, 0), labels: { 'flotilla.dev/address-group': name } },
      spec: { ...selector, part: 0 },
      subsets: selector.hosts
        ? [{ addresses: ['10.80.0.1'] }]
        : members.map((one) => ({ addresses: [one.address], ports: namedPortsOf(one.pod) })),
    };
  });
}

// --- The meaning of policies, from Kubernetes' documentation, for one connection at a time. ---

type Spec = NetworkPolicy['spec'];
type Rule = NonNullable<Spec['ingress']>[number] & NonNullable<Spec['egress']>[number];

function meansAllowed(policies: readonly NetworkPolicy[], all: readonly Somebody[], attempt: Attempt): boolean {
  const who = (address: string) => all.find((one) => one.address === address);
  const [from, to] = [who(attempt.from), who(attempt.to)];
  if (attempt.from === attempt.to) return true;
  const side = (one: Somebody | undefined, type: 'Ingress' | 'Egress', other: string): boolean => {
    const selecting = policies.filter(
      ({ metadata, spec }) =>
        one &&
        metadata.namespace === one.pod.metadata.namespace &&
        matchesSelector(spec.podSelector ?? {}, one.pod.metadata.labels) &&
        spec.policyTypes?.includes(type),
    );
    if (selecting.length === 0) return true;
    return selecting.some(({ metadata, spec }) => {
      const rules: readonly Rule[] = (type === 'Ingress' ? spec.ingress : spec.egress) ?? [];
      return rules.some((rule) => {
        const peers = (type === 'Ingress' ? rule.from : rule.to) ?? [];
        const isPeer = peers.length === 0 || peers.some((peer) => isMeant(peer, metadata.namespace ?? '', other));
        return isPeer && isPort(rule, to, attempt);
      });
    });
  };
  const isMeant = (peer: NonNullable<Rule['from']>[number], namespace: string, address: string): boolean => {
    if (peer.ipBlock) {
      const has = (cidr: string) => inNetwork(address, cidr);
      return has(peer.ipBlock.cidr) && !(peer.ipBlock.except ?? []).some(has);
    }
    const pod = who(address)?.pod;
    if (!pod) return false;
    const isNamespace = peer.namespaceSelector
      ? matchesSelector(peer.namespaceSelector, namespaceLabels[pod.metadata.namespace ?? ''])
      : pod.metadata.namespace === namespace;
    return isNamespace && (!peer.podSelector || matchesSelector(peer.podSelector, pod.metadata.labels));
  };
  return side(from, 'Egress', attempt.to) && side(to, 'Ingress', attempt.from);
}

function isPort(rule: Rule, to: Somebody | undefined, { protocol, port }: Attempt): boolean {
  if (!rule.ports?.length) return true;
  return rule.ports.some((one) => {
    if (one.protocol !== protocol) return false;
    if (one.port === undefined) return true;
    if (typeof one.port === 'number') return port >= one.port && port <= (one.endPort ?? one.port);
    return to
      ? namedPortsOf(to.pod).some(
          (named) => named.name === one.port && named.port === port && named.protocol === protocol,
        )
      : false;
  });
}

function inNetwork(address: string, cidr: string): boolean {
  const bits = (text: string) =>
    text
      .split('.')
      .map((part) => Number(part).toString(2).padStart(8, '0'))
      .join('');
  const [base = '', length] = cidr.split('/');
  return bits(address).startsWith(bits(base).slice(0, Number(length)));
}

// --- Any policies, any pods, any connections. ---

const labels = fc.record({ app: fc.constantFrom('web', 'db') }, { requiredKeys: [] });
const selector = fc.oneof(
  fc.constant({}),
  fc.constantFrom('web', 'db').map((app) => ({ matchLabels: { app } })),
  fc.constantFrom('In', 'NotIn').map((operator) => ({ matchExpressions: [{ key: 'app', operator, values: ['web'] }] })),
  fc.constantFrom('Exists', 'DoesNotExist').map((operator) => ({ matchExpressions: [{ key: 'app', operator }] })),
);
const namespaceSelector = fc.oneof(
  fc.constant({}),
  fc.constantFrom('x', 'y', 'z').map((team) => ({ matchLabels: { team } })),
);
const peer = fc.oneof(
  selector.map((podSelector) => ({ podSelector })),
  namespaceSelector.map((one) => ({ namespaceSelector: one })),
  fc.record({ podSelector: selector, namespaceSelector }),
  fc.constantFrom(
    { ipBlock: { cidr: '0.0.0.0/0' } },
    { ipBlock: { cidr: '10.80.0.0/30', except: ['10.80.0.2/32'] } },
    { ipBlock: { cidr: '192.0.2.0/24', except: ['192.0.2.0/25', '192.0.2.8/29'] } },
    { ipBlock: { cidr: '2001:db8::/32' } },
  ),
);
const port = fc.oneof(
  fc.constantFrom<JsonObject>(
    { port: 8080 },
    { port: 'http' },
    { port: 'other' },
    { port: 8000, endPort: 8090 },
    { port: 9000 },
  ),
  fc.constantFrom<JsonObject>(
    { protocol: 'UDP' },
    { protocol: 'UDP', port: 8080 },
    { protocol: 'UDP', port: 'http' },
    {},
  ),
);
const few = <T>(one: fc.Arbitrary<T>) => fc.option(fc.array(one, { maxLength: 2 }), { nil: undefined });
const rule = (who: 'from' | 'to') =>
  fc.record({ ports: few(port), peers: few(peer) }).map(({ ports, peers }) => ({
    ...(ports ? { ports } : {}),
    ...(peers ? { [who]: peers } : {}),
  }));
const anyPolicy = fc
  .record({
    namespace: fc.constantFrom('a', 'b'),
    podSelector: selector,
    ingress: few(rule('from')),
    egress: few(rule('to')),
    policyTypes: fc.constantFrom(undefined, ['Ingress'], ['Egress'], ['Ingress', 'Egress']),
  })
  .map(({ namespace, ...spec }) => {
    const given = Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined));
    return policy('any', namespace, given);
  });
const anyWorld = fc
  .array(fc.record({ namespace: fc.constantFrom('a', 'b'), labels, port: fc.constantFrom(8080, 9000) }), {
    minLength: 2,
    maxLength: 5,
  })
  .map((list) => list.map((one, at) => somebody(at, one.namespace, one.labels, one.port)));

const outside = '192.0.2.200';
const attemptsAmong = (all: readonly Somebody[]): Attempt[] => {
  const addresses = [...all.map((one) => one.address), outside, '192.0.2.9'];
  return addresses.flatMap((from) =>
    addresses.flatMap((to) =>
      (
        [
          ['TCP', 8080],
          ['TCP', 9000],
          ['UDP', 8080],
          ['TCP', 8090],
        ] as const
      ).map(([protocol, number]) => ({ from, to, protocol, port: number })),
    ),
  );
};

describe('policies of pods', () => {
  it('mean what Kubernetes says, for any policies, pods and connections, however one came from the other', () => {
    fc.assert(
      fc.property(
        anyWorld,
        fc.array(fc.array(anyPolicy, { maxLength: 3 }), { minLength: 1, maxLength: 2 }),
        (all, rounds) => {
          const model = new PodPolicies();
          for (const policies of rounds) {
            for (const one of policies) assert.deepEqual(validate(networkPolicies, one), []);
            const state = model.stateOf({ ownPods: all, policies, groups: groupsFor(policies, all) });
            for (const attempt of attemptsAmong(all)) {
              assert.equal(
                stateAllows(state, attempt),
                meansAllowed(policies, all, attempt),
                `${JSON.stringify(attempt)} with ${JSON.stringify(policies.map((one) => one.spec))}`,
              );
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  const web = somebody(0, 'a', { app: 'web' });
  const db = somebody(1, 'a', { app: 'db' });
  const onlyWeb = policy('db', 'a', {
    podSelector: { matchLabels: { app: 'db' } },
    ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }],
  });

  it('a pod that no policy selects is not in the state at all', () => {
    const state = new PodPolicies().stateOf({ ownPods: [web, db], policies: [onlyWeb], groups: [] });
    assert.deepEqual([...state.pods.keys()], [db.address]);
  });

  it('a group that nobody has resolved yet lets nobody in', () => {
    const state = new PodPolicies().stateOf({ ownPods: [db], policies: [onlyWeb], groups: [] });
    assert.equal(stateAllows(state, { from: web.address, to: db.address, protocol: 'TCP', port: 1 }), false);
  });

  it('the hosts may connect where the policy says so', () => {
    const closed = policy('db', 'a', {}, { 'flotilla.dev/from-hosts': 'true' });
    const state = new PodPolicies().stateOf({ ownPods: [db], policies: [closed], groups: groupsFor([closed], [db]) });
    const from = (address: string) => stateAllows(state, { from: address, to: db.address, protocol: 'UDP', port: 7 });
    assert.deepEqual([from('10.80.0.1'), from(web.address)], [true, false]);
  });

  it('what has not changed is the same object: a group keeps the others, nothing keeps all', () => {
    const other = policy('web', 'a', {
      podSelector: { matchLabels: { app: 'web' } },
      ingress: [{ from: [{ podSelector: { matchLabels: { app: 'db' } } }] }],
    });
    const policies = [onlyWeb, other];
    const groups = groupsFor(policies, [web, db]);
    const model = new PodPolicies();
    const first = model.stateOf({ ownPods: [web, db], policies, groups });
    assert.equal(model.stateOf({ ownPods: [db, web], policies: [...policies].reverse(), groups: [...groups] }), first);
    const [changed, kept] = groups;
    assert.ok(changed && kept);
    const second = model.stateOf({
      ownPods: [web, db],
      policies,
      groups: [{ ...changed, subsets: [{ addresses: ['10.80.7.7'] }] }, kept],
    });
    assert.notEqual(second, first);
    assert.equal(second.pods.get(db.address), first.pods.get(db.address));
    const keptName = kept.metadata.labels?.['flotilla.dev/address-group'] ?? '';
    assert.equal(second.groups.get(keptName), first.groups.get(keptName));
  });

  it('follows labels of pods, and pods that come and go', () => {
    const model = new PodPolicies();
    const selected = (...ownPods: Somebody[]) => [
      ...model.stateOf({ ownPods, policies: [onlyWeb], groups: [] }).pods.keys(),
    ];
    const relabelled = { ...web, pod: { ...web.pod, metadata: { ...web.pod.metadata, labels: { app: 'db' } } } };
    assert.deepEqual(selected(web, db), [db.address]);
    assert.deepEqual(selected(relabelled, db), [web.address, db.address]);
    assert.deepEqual(selected(relabelled), [web.address]);
    assert.deepEqual(selected(), []);
  });
});

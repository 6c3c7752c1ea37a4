import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { EndpointSlice, Pod, Service } from '../../resources/kinds.ts';
import { type SamplePod, samplePod } from '../sample-objects.ts';
import { type EndpointSliceStep, type NodeTrust, planEndpointSlices, usesPod } from './plan.ts';

function service(spec: Partial<Service['spec']> = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'shop', uid: 'svc-1' },
    spec: { clusterIP: 'None', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }], ...spec },
  };
}

function pod(name: string, given: Omit<SamplePod, 'name'> = {}, ips: string[] = ['10.80.0.2']): Pod {
  const made = samplePod({ name, nodeName: 'h1', ...given });
  return { ...made, status: { ...made.status, podIPs: ips.map((ip) => ({ ip })) } };
}

const trustIn = (): NodeTrust => 'sound';

const only = (steps: readonly EndpointSliceStep[]) => {
  assert.equal(steps.length, 1);
  return steps[0]!.slice;
};

function applied(slices: readonly EndpointSlice[], steps: readonly EndpointSliceStep[]): EndpointSlice[] {
  const touched = new Set(steps.map((step) => step.slice.metadata.name));
  return [
    ...slices.filter((one) => !touched.has(one.metadata.name)),
    ...steps.flatMap((step) => (step.type === 'deleteSlice' ? [] : [step.slice])),
  ];
}

describe('endpoint slice plan', () => {
  const conditions: [
    string,
    Omit<SamplePod, 'name'>,
    { ready: boolean; serving: boolean; terminating: boolean } | undefined,
  ][] = [
    ['ready', { isReady: true }, { ready: true, serving: true, terminating: false }],
    ['not ready', { isReady: false, phase: 'Running' }, { ready: false, serving: false, terminating: false }],
    [
      'terminating, though it still serves',
      { isReady: true, isTerminating: true },
      { ready: false, serving: false, terminating: true },
    ],
    ['on a lost node', { isReady: true, isLost: true }, { ready: false, serving: false, terminating: false }],
    ['ended', { phase: 'Succeeded' }, undefined],
  ];
  for (const [name, given, expected] of conditions) {
    it(`a pod that is ${name}`, () => {
      const slice = only(planEndpointSlices({ service: service(), pods: [pod('a', given)], slices: [], trustIn }));
      assert.deepEqual(slice.endpoints[0]?.conditions, expected);
    });
  }

  it('says whose address it is and on which node', () => {
    const slice = only(
      planEndpointSlices({ service: service(), pods: [pod('a', { isReady: true })], slices: [], trustIn }),
    );
    assert.deepEqual(slice.endpoints[0]?.targetRef, { kind: 'Pod', namespace: 'shop', name: 'a', uid: 'uid-a' });
    assert.equal(slice.endpoints[0]?.nodeName, 'h1');
    assert.deepEqual(slice.ports, [{ name: '', port: 8080, protocol: 'TCP' }]);
    assert.equal(slice.metadata.labels?.['kubernetes.io/service-name'], 'web');
  });

  it('is empty, not missing, when nobody is behind it', () => {
    assert.deepEqual(only(planEndpointSlices({ service: service(), pods: [], slices: [], trustIn })).endpoints, []);
  });

  it('finds named ports in each pod, in slices of their own where they differ', () => {
    const named = service({ ports: [{ port: 80, targetPort: 'http' }] });
    const at = (name: string, containerPort: number) => {
      const one = pod(name, { isReady: true });
      return {
        ...one,
        spec: { ...one.spec, containers: [{ name: 'web', image: 'web', ports: [{ name: 'http', containerPort }] }] },
      };
    };
    const steps = planEndpointSlices({ service: named, pods: [at('a', 8080), at('b', 9090)], slices: [], trustIn });
    assert.deepEqual(steps.map((step) => step.slice.ports?.[0]?.port).sort(), [8080, 9090]);
  });

  it('keeps IPv4 and IPv6 apart', () => {
    const steps = planEndpointSlices({
      service: service(),
      pods: [pod('a', { isReady: true }, ['10.80.0.2', 'fd00::2'])],
      slices: [],
      trustIn,
    });
    assert.deepEqual(steps.map((step) => step.slice.addressType).sort(), ['IPv4', 'IPv6']);
  });

  it('publishes pods that are not ready where the service wants that', () => {
    const early = service({ publishNotReadyAddresses: true });
    const slice = only(
      planEndpointSlices({ service: early, pods: [pod('a', { isReady: false })], slices: [], trustIn }),
    );
    assert.equal(slice.endpoints[0]?.conditions?.ready, true);
    const ending = only(
      planEndpointSlices({
        service: early,
        pods: [pod('a', { isReady: true, isTerminating: true })],
        slices: [],
        trustIn,
      }),
    );
    assert.equal(ending.endpoints[0]?.conditions?.ready, false, 'not while they stop');
  });

  it('names no ports where the address takes all of them', () => {
    const all = {
      ...service(),
      metadata: { ...service().metadata, annotations: { 'flotilla.dev/all-ports': 'true' } },
    };
    const slice = only(planEndpointSlices({ service: all, pods: [pod('a', { isReady: true })], slices: [], trustIn }));
    assert.deepEqual(slice.ports, []);
  });

  it('says which pods it sends clients to', () => {
    const pods = [pod('a', { isReady: true }), pod('b', { isReady: true, isTerminating: true }), pod('c', {})];
    const slice = only(planEndpointSlices({ service: service(), pods, slices: [], trustIn }));
    assert.deepEqual(
      ['uid-a', 'uid-b', 'uid-c', 'uid-d'].map((uid) => usesPod(slice, uid)),
      [true, false, false, false],
    );
  });
});

const anyPods = fc.array(
  fc.record({ isReady: fc.boolean(), isLost: fc.boolean(), isTerminating: fc.boolean(), hasAddress: fc.boolean() }),
  { maxLength: 250 },
);

describe('endpoint slice plan, any pods', () => {
  const build = (list: { isReady: boolean; isLost: boolean; isTerminating: boolean; hasAddress: boolean }[]) =>
    list.map(({ hasAddress, ...given }, at) =>
      pod(`p${at}`, given, hasAddress ? [`10.80.${at >> 7}.${2 + (at & 127)}`] : []),
    );

  it('comes to rest after one round, from any earlier state', () => {
    fc.assert(
      fc.property(anyPods, anyPods, (before, after) => {
        const first = applied([], planEndpointSlices({ service: service(), pods: build(before), slices: [], trustIn }));
        const second = applied(
          first,
          planEndpointSlices({ service: service(), pods: build(after), slices: first, trustIn }),
        );
        assert.deepEqual(planEndpointSlices({ service: service(), pods: build(after), slices: second, trustIn }), []);
      }),
      { numRuns: 50 },
    );
  });

  it('never calls ready what is not, and names every address once', () => {
    fc.assert(
      fc.property(anyPods, (list) => {
        const pods = build(list);
        const slices = applied([], planEndpointSlices({ service: service(), pods, slices: [], trustIn }));
        const endpoints = slices.flatMap((slice) => slice.endpoints);
        const ready = endpoints.filter((one) => one.conditions?.ready).length;
        assert.equal(
          ready,
          list.filter((one) => one.hasAddress && one.isReady && !one.isLost && !one.isTerminating).length,
        );
        assert.equal(
          new Set(endpoints.map((one) => one.addresses[0])).size,
          list.filter((one) => one.hasAddress).length,
        );
      }),
      { numRuns: 50 },
    );
  });
});

describe('endpoints on nodes that are in doubt', () => {
  const trusts: Readonly<Record<string, NodeTrust>> = { h1: 'sound', h2: 'suspect', h3: 'held' };
  const readyOf = (pods: readonly Pod[]) => {
    const slice = only(
      planEndpointSlices({ service: service(), pods, slices: [], trustIn: (name) => trusts[name] ?? 'sound' }),
    );
    return slice.endpoints.filter((one) => one.conditions?.ready).map((one) => one.targetRef?.name);
  };
  const on = (nodeName: string, given: Omit<SamplePod, 'name'> = {}, name: string = nodeName) =>
    pod(name, { nodeName, isReady: true, ...given });

  const cases: [string, Pod[], string[]][] = [
    ['a suspect one is out while another is there', [on('h1'), on('h2')], ['h1']],
    ['the last ones stay, all of them', [on('h2', {}, 'a'), on('h2', {}, 'b')], ['a', 'b']],
    ['one that is not ready is nobody to rely on', [on('h1', { isReady: false }), on('h2')], ['h2']],
    ['one that is stopping is nobody to rely on', [on('h1', { isTerminating: true }), on('h2')], ['h2']],
    ['a lost one is out, the last one too', [on('h2', { isLost: true })], []],
    ['a lost one whose node answers again is better than nothing', [on('h3', { isLost: true })], ['h3']],
    ['and not better than its replacement', [on('h1'), on('h3', { isLost: true })], ['h1']],
    ['one on such a node that never was lost serves as ever', [on('h1'), on('h3')], ['h1', 'h3']],
  ];
  for (const [name, pods, expected] of cases) it(name, () => assert.deepEqual(readyOf(pods), expected));

  it('a suspicion never takes the last ready endpoint', () => {
    const anyPods = fc.array(
      fc.record({ node: fc.constantFrom('h1', 'h2'), isReady: fc.boolean(), isTerminating: fc.boolean() }),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(anyPods, (given) => {
        const pods = given.map(({ node, ...facts }, at) => on(node, facts, `p${at}`));
        const unsuspected = pods.filter((one, at) => given[at]?.isReady && !one.metadata.deletionTimestamp);
        assert.equal(readyOf(pods).length > 0, unsuspected.length > 0);
      }),
    );
  });
});

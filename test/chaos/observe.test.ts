import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { samplePod } from '../../src/controllers/sample-objects.ts';
import type { Lease, Pod } from '../../src/resources/kinds.ts';
import { LeaseRules, PodRules, VolumeRules } from './observe.ts';

const pod = (
  name: string,
  nodeName: string,
  podIP: string,
  more: Partial<Parameters<typeof samplePod>[0]> = {},
): Pod => {
  const made = samplePod({ name, nodeName, isReady: true, ...more });
  return { ...made, status: { ...made.status, podIP } };
};
const lease = (leaseTransitions: number, holderIdentity: string): Lease => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: 'flotilla-leader' },
  spec: { leaseTransitions, holderIdentity },
});

describe('what must hold at every moment', () => {
  it('a pod is bound once', () => {
    const rules = new PodRules();
    assert.deepEqual(rules.violations([pod('a', 'h1', '10.80.0.2')]), []);
    assert.deepEqual(rules.violations([pod('a', 'h1', '10.80.0.2'), pod('b', 'h2', '10.80.1.2')]), []);
    assert.match(rules.violations([pod('a', 'h2', '10.80.0.2')]).join(), /a was on h1 and is on h2/);
  });

  it('an address is one running pod’s; who ends or has ended may still tell of it', () => {
    const both = (more: Partial<Parameters<typeof samplePod>[0]>) =>
      new PodRules().violations([pod('a', 'h1', '10.80.0.2', more), pod('b', 'h1', '10.80.0.2')]);
    assert.match(both({}).join(), /pods a and b both have 10.80.0.2/);
    assert.deepEqual(both({ isTerminating: true }), []);
    assert.deepEqual(both({ phase: 'Succeeded' }), []);
  });

  it('a term is one holder’s, and terms only grow', () => {
    const rules = new LeaseRules();
    for (const one of [lease(1, 'a'), lease(1, ''), lease(1, 'a'), lease(2, 'b')])
      assert.deepEqual(rules.violations(one), []);
    assert.match(rules.violations(lease(2, 'c')).join(), /term 2 was b's and is c's/);
    assert.match(rules.violations(lease(1, 'a')).join(), /was 2 and is 1/);
  });

  it('what is in a volume stays, on one host', () => {
    const rules = new VolumeRules();
    for (const contents of [[], [''], ['one'], ['one']]) assert.deepEqual(rules.violations(contents), []);
    assert.match(rules.violations(['two']).join(), /held one, and holds two/);
    assert.match(rules.violations([]).join(), /holds nothing/);
    assert.match(rules.violations(['one', 'one']).join(), /on 2 hosts/);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Node } from '../../resources/kinds.ts';
import { sampleNode } from '../sample-objects.ts';
import { planNodeRanges } from './plan.ts';

const none = new Map<string, string>();
const plan = (nodes: readonly Node[], podRange = '10.80.0.0/12', given: ReadonlyMap<string, string> = none) =>
  planNodeRanges({ nodes, podRange, nodePrefixLength: 24, given });
const shares = (nodes: readonly Node[], podRange?: string) =>
  plan(nodes, podRange).map(
    (step) => `${step.node.metadata.name} ${step.type === 'assign' ? step.podCIDR : step.reason}`,
  );

describe('node range plan', () => {
  it('gives the lowest free share, oldest node first', () => {
    const nodes = [
      sampleNode('young', { ageSeconds: 1 }),
      sampleNode('old'),
      sampleNode('has', { podCIDR: '10.80.0.0/24' }),
    ];
    assert.deepEqual(shares(nodes), ['old 10.80.1.0/24', 'young 10.80.2.0/24']);
  });
  it('fills the gap that a removed node left', () => {
    const nodes = [
      sampleNode('a', { podCIDR: '10.80.0.0/24' }),
      sampleNode('c', { podCIDR: '10.80.2.0/24' }),
      sampleNode('new'),
    ];
    assert.deepEqual(shares(nodes), ['new 10.80.1.0/24']);
  });
  it('crosses the octet', () => {
    const nodes = Array.from({ length: 256 }, (_, at) => sampleNode(`n${at}`, { podCIDR: `10.80.${at}.0/24` }));
    assert.deepEqual(shares([...nodes, sampleNode('new')]), ['new 10.81.0.0/24']);
  });
  it('says when the range is used up', () => {
    const nodes = [
      sampleNode('a', { podCIDR: '10.1.0.0/24' }),
      sampleNode('b', { podCIDR: '10.1.1.0/24' }),
      sampleNode('c'),
    ];
    assert.deepEqual(shares(nodes, '10.1.0.0/23'), [
      'c no share of the pod range 10.1.0.0/23 is left for it: all 2 /24 networks are in use',
    ]);
  });
  it('keeps away from what a network of another size covers', () => {
    const nodes = [sampleNode('big', { podCIDR: '10.80.0.0/23' }), sampleNode('new')];
    assert.deepEqual(shares(nodes), ['new 10.80.2.0/24']);
  });
  it('does not give twice what it wrote and does not see yet', () => {
    const steps = plan([sampleNode('a'), sampleNode('b')], undefined, new Map([['a', '10.80.0.0/24']]));
    assert.deepEqual(
      steps.map((step) => step.type === 'assign' && step.podCIDR),
      ['10.80.1.0/24'],
    );
  });
});

describe('node range plan, any nodes', () => {
  const anyNodes = fc
    .array(fc.option(fc.integer({ min: 0, max: 15 }), { nil: undefined }), { maxLength: 20 })
    .map((list) => {
      const seen = new Set<number>();
      return list.map((share, at) => {
        const isFree = share !== undefined && !seen.has(share);
        if (isFree) seen.add(share);
        return sampleNode(`n${at}`, isFree ? { podCIDR: `10.9.${share}.0/24` } : {});
      });
    });

  it('comes to rest, and no share has two holders', () => {
    fc.assert(
      fc.property(anyNodes, (nodes) => {
        const given = new Map(
          plan(nodes, '10.9.0.0/20').flatMap((step) =>
            step.type === 'assign' ? [[step.node.metadata.name, step.podCIDR] as const] : [],
          ),
        );
        const after = nodes.map((node) => {
          const podCIDR = given.get(node.metadata.name);
          return podCIDR ? { ...node, spec: { podCIDRs: [podCIDR] } } : node;
        });
        const held = after.flatMap((node) => node.spec.podCIDRs ?? []);
        assert.equal(new Set(held).size, held.length);
        assert.equal(held.length, Math.min(16, nodes.length));
        assert.ok(plan(after, '10.9.0.0/20').every((step) => step.type === 'exhausted'));
      }),
    );
  });
});

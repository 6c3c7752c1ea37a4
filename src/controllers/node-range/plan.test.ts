import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Node } from '../../resources/kinds.ts';
import { sampleNode } from '../sample-objects.ts';
import { type NodeRangeStep, planNodeRanges } from './plan.ts';

const none = new Map<string, string>();
const plan = (nodes: readonly Node[], podRange = '10.80.0.0/12', given: ReadonlyMap<string, string> = none) =>
  planNodeRanges({ nodes, podRange, nodePrefixLength: 24, given });
const sharesOf = (steps: readonly NodeRangeStep[]) =>
  steps.map((step) => {
    const what = { assign: 'podCIDR', exhausted: 'reason', supplied: 'type' }[step.type];
    return `${step.node.metadata.name} ${(step as unknown as Record<string, string>)[what]}`;
  });
const shares = (nodes: readonly Node[], podRange?: string) => sharesOf(plan(nodes, podRange));

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

describe('shares of nodes that are gone', () => {
  const share = (at: number) => `10.1.${at}.0/24`;
  const withFormer = (nodes: readonly Node[], former: Record<string, string>, podRange = '10.1.0.0/22') => {
    const given = new Map<string, string>();
    return sharesOf(
      planNodeRanges({ nodes, podRange, nodePrefixLength: 24, given, former: new Map(Object.entries(former)) }),
    );
  };
  const former = { b: share(1), a: share(0) };

  it('are theirs again when they return', () => {
    assert.deepEqual(withFormer([sampleNode('a'), sampleNode('b')], former), ['a 10.1.0.0/24', 'b 10.1.1.0/24']);
  });
  it('go to others last, the one that has been free for longest first', () => {
    const others = ['x', 'y', 'z'].map((name) => sampleNode(name));
    assert.deepEqual(withFormer(others, former), ['x 10.1.2.0/24', 'y 10.1.3.0/24', 'z 10.1.1.0/24']);
  });
  it('are not theirs when somebody has them by now', () => {
    const taken = sampleNode('x', { podCIDR: share(0) });
    assert.deepEqual(withFormer([taken, sampleNode('a')], former), ['a 10.1.2.0/24']);
  });
  it('of another range are nobody’s', () => {
    assert.deepEqual(withFormer([sampleNode('a')], { a: '10.9.0.0/24', b: '10.0.0.0/8' }), ['a 10.1.0.0/24']);
  });
});

describe('a node without a share', () => {
  const condition = (status: string) => [{ type: 'flotilla.dev/PodRangeExhausted', status }];
  it('says so until it has one', () => {
    const said = { ...sampleNode('a', { podCIDR: '10.80.0.0/24' }), status: { conditions: condition('True') } };
    assert.deepEqual(shares([said]), ['a supplied']);
    assert.deepEqual(shares([{ ...said, status: { conditions: condition('False') } }]), []);
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

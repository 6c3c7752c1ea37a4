import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Pod } from '../../resources/kinds.ts';
import { isServing } from '../pod-facts.ts';
import { sampleNowMs, samplePod } from '../sample-objects.ts';
import { rankForDeletion } from './rank-for-deletion.ts';

const sound = { nowMs: sampleNowMs, isInDoubt: () => false };
const names = (pods: readonly Pod[]) => pods.map((pod) => pod.metadata.name);

function costing(cost: string, pod: Pod): Pod {
  const annotations = { 'controller.kubernetes.io/pod-deletion-cost': cost };
  return { ...pod, metadata: { ...pod.metadata, annotations } };
}

describe('who goes first when there are too many', () => {
  it('unplaced, unready, stand-ins and crowded pods', () => {
    const pods = [
      samplePod({ name: 'old-h1', nodeName: 'h1', isReady: true }),
      samplePod({ name: 'old-h1-too', nodeName: 'h1', isReady: true }),
      samplePod({ name: 'old-h2', nodeName: 'h2', isReady: true }),
      samplePod({ name: 'stand-in', nodeName: 'h3', isReady: true, ageSeconds: 20 }),
      samplePod({ name: 'unready', nodeName: 'h2', isReady: false }),
      samplePod({ name: 'unplaced' }),
    ];
    assert.deepEqual(names(rankForDeletion(pods, sound)).slice(0, 4), [
      'unplaced',
      'unready',
      'stand-in',
      'old-h1-too',
    ]);
  });

  it('not what was lost and is back, though the stand-ins are spread better and only seconds younger', () => {
    const made = [
      samplePod({ name: 'back-1', nodeName: 'h1', isReady: true, ageSeconds: 20, isReturned: true }),
      samplePod({ name: 'back-2', nodeName: 'h1', isReady: true, ageSeconds: 20, isReturned: true }),
      samplePod({ name: 'back-sick', nodeName: 'h1', isReady: false, ageSeconds: 20, isReturned: true }),
      samplePod({ name: 'stayed', nodeName: 'h2', isReady: true, ageSeconds: 19 }),
      samplePod({ name: 'stand-in-1', nodeName: 'h3', isReady: true, ageSeconds: 16 }),
      samplePod({ name: 'stand-in-2', nodeName: 'h2', isReady: true, ageSeconds: 16 }),
      samplePod({ name: 'stand-in-3', nodeName: 'h4', isReady: true, ageSeconds: 16 }),
    ];
    const first = names(rankForDeletion(made, { ...sound, count: 4 }));
    assert.equal(first[0], 'back-sick');
    assert.deepEqual(first.slice(1).sort(), ['stand-in-1', 'stand-in-2', 'stand-in-3']);
  });

  it('those on a node in doubt, before younger and crowded ones, and after what serves nobody', () => {
    const pods = [
      samplePod({ name: 'sound-young', nodeName: 'h1', isReady: true, ageSeconds: 5 }),
      samplePod({ name: 'sound-crowd', nodeName: 'h1', isReady: true }),
      samplePod({ name: 'doubtful', nodeName: 'h2', isReady: true, ageSeconds: 9_000 }),
      samplePod({ name: 'sick', nodeName: 'h1', isReady: false, ageSeconds: 9_000 }),
    ];
    const ranked = rankForDeletion(pods, { nowMs: sampleNowMs, isInDoubt: (pod) => pod.spec.nodeName === 'h2' });
    assert.deepEqual(names(ranked), ['sick', 'doubtful', 'sound-young', 'sound-crowd']);
  });

  it('those that somebody called cheaper; what is no number is none', () => {
    const ready = (name: string) => samplePod({ name, nodeName: name, isReady: true });
    const pods = [costing('10', ready('dear')), costing('-5', ready('cheap')), costing('much', ready('b')), ready('c')];
    assert.deepEqual(names(rankForDeletion(pods, sound)), ['cheap', 'c', 'b', 'dear']);
  });

  it('never one that serves while one is left that does not', () => {
    const anyPod = fc.record({
      isReady: fc.boolean(),
      isLost: fc.boolean(),
      nodeName: fc.constantFrom('h1', 'h2', ''),
      ageSeconds: fc.nat(10_000),
    });
    fc.assert(
      fc.property(fc.array(anyPod, { maxLength: 12 }), fc.constantFrom('h1', 'h2', 'none'), (all, doubted) => {
        const pods = all.map((one, at) => samplePod({ name: `p${at}`, ...one }));
        const ranked = rankForDeletion(pods, { nowMs: sampleNowMs, isInDoubt: (pod) => pod.spec.nodeName === doubted });
        assert.deepEqual(names(ranked).sort(), names(pods).sort());
        const serves = ranked.map(
          (pod) => isServing(pod) && pod.spec.nodeName !== '' && pod.spec.nodeName !== undefined,
        );
        assert.deepEqual(
          serves,
          [...serves].sort((a, b) => Number(a) - Number(b)),
        );
      }),
    );
  });
});

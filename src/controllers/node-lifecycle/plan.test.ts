import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isNodeHeld, isNodeLost } from '../../resources/failover.ts';
import { longestHoldMs } from '../../resources/flapping.ts';
import type { Node, Pod } from '../../resources/kinds.ts';
import { annotations, labels } from '../../resources/names.ts';
import { isPodLost } from '../../resources/pod-facts.ts';
import { sampleNode, sampleNowMs, samplePod } from '../sample-objects.ts';
import type { Verdict } from './judge.ts';
import { applyPlan, type Model } from './node-model.ts';
import { type NodeObservation, planNode } from './plan.ts';

const heard: Verdict = { state: 'heard' };
const silent = (forMs: number): Verdict => ({ state: 'silent', silentSinceMs: -forMs, isConfirmed: false, why: '' });
const confirmed: Verdict = {
  state: 'silent',
  silentSinceMs: -4_000,
  isConfirmed: true,
  why: 'an operator confirmed it',
};
const doubted: Verdict = { state: 'doubted', silentSinceMs: -60_000, why: 'nobody could be asked' };

interface GivenPod {
  readonly isLost?: boolean;
  readonly phase?: string;
  readonly after?: string | undefined;
  readonly claim?: string | undefined;
}
const pod = (name: string, given: GivenPod = {}): Pod => {
  const { isLost = false, phase = 'Running' } = given;
  const made = samplePod({ name, nodeName: 'h1', isReady: true, ownerUid: 'rs-1', isLost, phase });
  return {
    ...made,
    metadata: { ...made.metadata, annotations: given.after ? { [annotations.failoverAfter]: given.after } : {} },
    spec: {
      ...made.spec,
      ...(given.claim ? { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: given.claim } }] } : {}),
    },
  };
};

const observe = (given: Partial<NodeObservation>): NodeObservation => ({
  node: sampleNode('h1', { ready: 'True' }),
  pods: [pod('a')],
  verdict: heard,
  heardSinceMs: -1_000_000,
  hasOthers: true,
  failoverAfter: 10_000,
  nowMs: 0,
  wallMs: sampleNowMs,
  ...given,
});

/** What a plan does, in words: `lost`, `Suspect=True`, `lose a`. */
function words(given: Partial<NodeObservation>): string[] {
  return planNode(observe(given)).steps.map((step) => {
    if (step.type === 'mark') return step.as;
    if (step.type === 'setCondition')
      return `${step.condition.type.replace('flotilla.dev/', '')}=${step.condition.status}`;
    const verb = { loseNodeOf: 'lose', countAgain: 'count', deletePod: 'delete' }[step.type];
    return `${verb} ${step.pod.metadata.name}`;
  });
}

/** A node after it was judged so. */
function after(verdict: Verdict, given: Partial<NodeObservation> = {}): Model {
  const observed = observe({ verdict, ...given });
  return applyPlan({ node: observed.node, pods: [...observed.pods] }, planNode(observed).steps);
}
const withReady = (node: Node, status: string): Node => ({
  ...node,
  status: {
    conditions: [...(node.status?.conditions ?? []).filter((one) => one.type !== 'Ready'), { type: 'Ready', status }],
  },
});

describe('node lifecycle plan', () => {
  const lost = after(silent(10_000));
  const cases: [string, Partial<NodeObservation>, string[], number | undefined][] = [
    ['answers', {}, [], undefined],
    ['has not answered for a moment', { verdict: { state: 'waiting', silentSinceMs: -2_000 } }, [], 1_000],
    ['silent for a while: suspect', { verdict: silent(3_000) }, ['Suspect=True'], 7_000],
    ['silent for 9.9 s: not lost', { verdict: silent(9_900) }, ['Suspect=True'], 100],
    [
      'silent for failover.after: lost',
      { verdict: silent(10_000) },
      ['lost', 'Suspect=True', 'Ready=Unknown', 'lose a'],
      undefined,
    ],
    ['lost already', { verdict: silent(20_000), ...lost }, [], undefined],
    ['doubted: nothing but a word', { verdict: doubted }, ['Suspect=Unknown'], 1_000],
    ['doubted after it was lost: stays lost', { verdict: doubted, ...lost }, ['Suspect=Unknown'], 1_000],
    ['answers again, its agent has not spoken', { ...lost }, ['Suspect=False'], undefined],
    [
      'answers again and ready',
      { pods: lost.pods, node: withReady(lost.node, 'True') },
      ['usable', 'Suspect=False', 'count a'],
      undefined,
    ],
    [
      'answers again, not ready',
      { pods: lost.pods, node: withReady(lost.node, 'False') },
      ['Suspect=False'],
      undefined,
    ],
    [
      'a finished pod is not lost',
      { verdict: silent(10_000), pods: [samplePod({ name: 'a', phase: 'Succeeded' })] },
      ['lost', 'Suspect=True', 'Ready=Unknown'],
      undefined,
    ],
    [
      'a pod of its own, shorter time takes the node with it',
      { verdict: silent(4_000), pods: [pod('a'), pod('b', { after: '4s' })] },
      ['lost', 'Suspect=True', 'Ready=Unknown', 'lose b'],
      6_000,
    ],
    [
      'a longer time of its own',
      { verdict: silent(10_000), pods: [pod('a', { after: '1m' })] },
      ['lost', 'Suspect=True', 'Ready=Unknown'],
      50_000,
    ],
    [
      'never, for one pod',
      { verdict: silent(3_600_000), pods: [pod('a', { after: 'never' })] },
      ['lost', 'Suspect=True', 'Ready=Unknown'],
      undefined,
    ],
    [
      'never, for the grid: the node is given up, its pods are not',
      { verdict: silent(20_000), failoverAfter: 'never' },
      ['lost', 'Suspect=True', 'Ready=Unknown'],
      undefined,
    ],
    [
      'an annotation that says nothing readable is none',
      { verdict: silent(10_000), pods: [pod('a', { after: 'soon' }), pod('b', { after: '1s' })] },
      ['lost', 'Suspect=True', 'Ready=Unknown', 'lose a', 'lose b'],
      undefined,
    ],
    [
      'a pod with a volume stays with it',
      { verdict: silent(3_600_000), pods: [pod('a', { claim: 'data', after: '3s' })] },
      ['lost', 'Suspect=True', 'Ready=Unknown'],
      undefined,
    ],
    [
      'an operator confirms: at once, and whoever has a volume, too',
      { verdict: confirmed, pods: [pod('a', { claim: 'data' }), pod('b', { after: 'never' })] },
      ['lost', 'Suspect=True', 'Ready=Unknown', 'lose a', 'lose b'],
      6_000,
    ],
    [
      'an operator confirms: what is stopping ends, what a stack makes once is made anew, other bare pods wait',
      {
        verdict: confirmed,
        pods: [
          samplePod({ name: 'stopping', nodeName: 'h1', ownerUid: 'rs-1', isTerminating: true }),
          samplePod({ name: 'task', nodeName: 'h1', labels: { [labels.stack]: 'shop' } }),
          samplePod({ name: 'bare', nodeName: 'h1' }),
        ],
      },
      ['lost', 'Suspect=True', 'Ready=Unknown', 'delete stopping', 'delete task', 'lose bare'],
      6_000,
    ],
  ];
  for (const [name, given, expected, againAfterMs] of cases) {
    it(name, () => {
      assert.deepEqual(words(given), expected);
      assert.equal(planNode(observe(given)).againAfterMs, againAfterMs);
    });
  }

  it('Kubernetes’ taint comes with the loss and goes with the return; taints of others stay', () => {
    const own = { key: 'gpu', value: 'yes', effect: 'NoSchedule' };
    const node = { ...sampleNode('h1', { ready: 'True' }), spec: { taints: [own] } };
    const gone = after(silent(10_000), { node });
    assert.deepEqual(gone.node.spec.taints, [own, { key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' }]);
    const back = after(heard, { ...gone, node: withReady(gone.node, 'True') });
    assert.deepEqual(back.node.spec.taints, [own]);
  });

  it('a confirmation is forgotten when the node is back', () => {
    const node = sampleNode('h1', { ready: 'True' });
    const gone = after(confirmed, {
      node: { ...node, metadata: { ...node.metadata, annotations: { [annotations.lostConfirmed]: 'x' } } },
    });
    const back = after(heard, { ...gone, node: withReady(gone.node, 'True') });
    assert.equal(back.node.metadata.annotations?.[annotations.lostConfirmed], undefined);
  });

  it('says what and why', () => {
    const [, , ready, lose] = planNode(observe({ verdict: silent(10_000), pods: [pod('a', { after: '7s' })] })).steps;
    assert.ok(ready?.type === 'setCondition' && lose?.type === 'loseNodeOf');
    assert.equal(ready.condition.message, 'no sign of life from the agent of h1 for 7s');
    assert.equal(lose.message, 'its node h1 has not answered for 7s (failover.after of the pod)');
  });
});

describe('a node that is lost again and again', () => {
  it('is used at once after its first loss, and later and later after further ones', () => {
    let state: Model = { node: sampleNode('h1', { ready: 'True' }), pods: [pod('a')] };
    const waits: number[] = [];
    for (let loss = 0; loss < 10; loss++) {
      state = after(silent(10_000), state);
      state = { ...state, node: withReady(state.node, 'True') };
      for (let waitedMs = 0; ; waitedMs += 5_000) {
        state = after(heard, { ...state, heardSinceMs: -waitedMs });
        if (state.pods.every((one) => !isPodLost(one))) {
          waits.push(waitedMs / 1_000);
          break;
        }
        assert.ok(isNodeHeld(state.node));
      }
    }
    assert.deepEqual(waits, [0, 15, 30, 60, 120, 240, 480, 600, 600, 600]);
  });

  it('is used at once when there is no other', () => {
    const lost = after(silent(10_000), after(silent(10_000)));
    const times = `${new Date(sampleNowMs - 60_000).toISOString()},${new Date(sampleNowMs).toISOString()}`;
    const node = { ...lost.node, metadata: { ...lost.node.metadata, annotations: { [annotations.lostTimes]: times } } };
    const back = { pods: lost.pods, node: withReady(node, 'True'), heardSinceMs: 0 };
    assert.deepEqual(words({ ...back, hasOthers: true }), ['held', 'Flapping=True', 'Suspect=False']);
    assert.deepEqual(words({ ...back, hasOthers: false }), ['usable', 'Suspect=False', 'count a']);
  });

  it('an old loss, and one from a clock that was wrong, count for nothing', () => {
    const lost = after(silent(10_000));
    const far = [-3_700_000, 3_700_000].map((ms) => new Date(sampleNowMs + ms).toISOString());
    const text = [...far, new Date(sampleNowMs).toISOString()].join(',');
    const node = { ...lost.node, metadata: { ...lost.node.metadata, annotations: { [annotations.lostTimes]: text } } };
    assert.deepEqual(words({ pods: lost.pods, node: withReady(node, 'True'), heardSinceMs: 0 }), [
      'usable',
      'Suspect=False',
      'count a',
    ]);
  });
});

describe('node lifecycle plan, any history', () => {
  const anyPods = fc.array(
    fc.record({
      isLost: fc.boolean(),
      after: fc.constantFrom(undefined, '3s', '20s', 'never', 'nonsense'),
      claim: fc.constantFrom(undefined, 'data'),
      phase: fc.constantFrom('Running', 'Failed'),
    }),
    { maxLength: 5 },
  );
  const anyVerdict: fc.Arbitrary<Verdict> = fc.oneof(
    fc.constant(heard),
    fc.constant(doubted),
    fc.constant(confirmed),
    fc.integer({ min: 3_000, max: 90_000 }).map(silent),
    fc.integer({ min: 0, max: 2_999 }).map((ms): Verdict => ({ state: 'waiting', silentSinceMs: -ms })),
  );
  const anyGiven = fc.record({
    ready: fc.constantFrom('True', 'False', 'Unknown'),
    verdicts: fc.array(anyVerdict, { minLength: 1, maxLength: 6 }),
    pods: anyPods,
    failoverAfter: fc.constantFrom(3_000, 10_000, 'never' as const),
    heardForMs: fc.integer({ min: 0, max: 700_000 }),
    hasOthers: fc.boolean(),
  });
  const build = (given: readonly GivenPod[]) => given.map((one, at) => pod(`p${at}`, one));

  it('comes to rest after one round, whatever was before', () => {
    fc.assert(
      fc.property(anyGiven, ({ ready, verdicts, pods, failoverAfter, heardForMs, hasOthers }) => {
        let state: Model = { node: sampleNode('h1', { ready }), pods: build(pods) };
        for (const verdict of verdicts) {
          const given = { verdict, failoverAfter, hasOthers, heardSinceMs: -heardForMs };
          state = after(verdict, { ...given, ...state });
          assert.deepEqual(words({ ...given, ...state }), []);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('gives up nobody while in doubt, nor one with a volume, nor before its time', () => {
    fc.assert(
      fc.property(anyGiven, anyVerdict, ({ ready, pods, failoverAfter }, verdict) => {
        const before = build(pods);
        const node = sampleNode('h1', { ready });
        const { steps } = planNode(observe({ node, pods: before, verdict, failoverAfter }));
        for (const step of steps) {
          if (step.type === 'mark' && step.as === 'lost') assert.equal(verdict.state, 'silent');
          if (step.type !== 'loseNodeOf') continue;
          assert.ok(verdict.state === 'silent');
          if (verdict.isConfirmed) continue;
          assert.equal(step.pod.spec.volumes, undefined);
          const own = { '3s': 3_000, '20s': 20_000, never: Number.POSITIVE_INFINITY }[
            step.pod.metadata.annotations?.[annotations.failoverAfter] ?? ''
          ];
          const ofGrid = failoverAfter === 'never' ? Number.POSITIVE_INFINITY : failoverAfter;
          assert.ok(-verdict.silentSinceMs >= (own ?? ofGrid));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('however a node comes and goes: taken back at most 16 times an hour, and always within ten minutes', () => {
    const anyRhythm = fc.array(
      fc.record({ silentMs: fc.integer({ min: 0, max: 60_000 }), heardMs: fc.integer({ min: 100, max: 900_000 }) }),
      { minLength: 3, maxLength: 12 },
    );
    fc.assert(
      fc.property(anyRhythm, (rhythm) => {
        let state: Model = { node: sampleNode('h1', { ready: 'True' }), pods: [pod('a')] };
        const takenBackMs: number[] = [];
        let nowMs = 0;
        while (nowMs < 2 * 3_600_000) {
          for (const { silentMs, heardMs } of rhythm) {
            const silentSinceMs = nowMs;
            nowMs += silentMs;
            const verdict: Verdict = { state: 'silent', silentSinceMs, isConfirmed: false, why: '' };
            const at = () => ({ nowMs, wallMs: sampleNowMs + nowMs });
            if (silentMs >= 3_000) state = after(verdict, { ...state, ...at() });
            const heardSinceMs = nowMs;
            state = { ...state, node: withReady(state.node, 'True') };
            for (const waitMs of [0, 15, 30, 60, 120, 240, 480, 600].map((seconds) => seconds * 1_000)) {
              if (waitMs > heardMs) break;
              const wasOut = isNodeLost(state.node) || isNodeHeld(state.node);
              nowMs = heardSinceMs + waitMs;
              state = after(heard, { ...state, ...at(), heardSinceMs });
              const isOut = isNodeLost(state.node) || isNodeHeld(state.node);
              if (wasOut && !isOut) takenBackMs.push(nowMs);
              if (waitMs >= longestHoldMs) assert.ok(!isOut, 'held for ever');
            }
            nowMs = heardSinceMs + heardMs;
          }
        }
        for (const startMs of takenBackMs) {
          const within = takenBackMs.filter((ms) => ms >= startMs && ms < startMs + 3_600_000);
          assert.ok(within.length <= 16, `${within.length} times within an hour`);
        }
      }),
      { numRuns: 60 },
    );
  });
});

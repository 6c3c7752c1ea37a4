import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Taint, Toleration } from 'kubernetes-types/core/v1.js';
import type { Node, Pod } from '../../resources/kinds.ts';
import { sampleNode, samplePod } from '../sample-objects.ts';
import { planTaintEviction } from './plan.ts';

const taint: Taint = { key: 'disk', value: 'bad', effect: 'NoExecute' };
const nodeWith = (...taints: Taint[]): Node => ({ ...sampleNode('h1'), spec: { taints } });
const podWith = (...tolerations: Toleration[]): Pod => {
  const pod = samplePod({ name: 'a', nodeName: 'h1', isReady: true });
  return { ...pod, spec: { ...pod.spec, tolerations } };
};
const words = (node: Node, pod: Pod, nowMs = 0) =>
  planTaintEviction(node, [pod], () => 0, nowMs).map((step) =>
    step.type === 'evict' ? `evict ${step.taint}` : `wait ${step.untilMs}`,
  );

describe('eviction by taints', () => {
  const tolerated: Toleration = { key: 'disk', operator: 'Exists' };
  const cases: [string, Node, Pod, string[], number?][] = [
    ['no taint', nodeWith(), podWith(), []],
    ['a taint that only keeps new ones away', nodeWith({ ...taint, effect: 'NoSchedule' }), podWith(), []],
    ['not tolerated', nodeWith(taint), podWith(), ['evict disk=bad:NoExecute']],
    ['tolerated for ever', nodeWith(taint), podWith(tolerated), []],
    ['tolerated for a time', nodeWith(taint), podWith({ ...tolerated, tolerationSeconds: 5 }), ['wait 5000']],
    [
      'the time is over',
      nodeWith(taint),
      podWith({ ...tolerated, tolerationSeconds: 5 }),
      ['evict disk=bad:NoExecute'],
      5_000,
    ],
    [
      'the shortest time counts',
      nodeWith(taint),
      podWith(tolerated, { ...tolerated, tolerationSeconds: 9 }, { ...tolerated, tolerationSeconds: 2 }),
      ['wait 2000'],
    ],
    ['at once', nodeWith(taint), podWith({ ...tolerated, tolerationSeconds: -1 }), ['evict disk=bad:NoExecute']],
    [
      'one of two is not tolerated',
      nodeWith(taint, { key: 'net', effect: 'NoExecute' }),
      podWith(tolerated),
      ['evict net:NoExecute'],
    ],
    [
      'out of service is for the node lifecycle',
      nodeWith({ key: 'node.kubernetes.io/out-of-service', value: 'x', effect: 'NoExecute' }),
      podWith(),
      [],
    ],
    ['it is being deleted already', nodeWith(taint), samplePod({ name: 'a', nodeName: 'h1', isTerminating: true }), []],
    ['it has finished', nodeWith(taint), samplePod({ name: 'a', nodeName: 'h1', phase: 'Succeeded' }), []],
  ];
  for (const [name, node, pod, expected, nowMs] of cases) {
    it(name, () => assert.deepEqual(words(node, pod, nowMs), expected));
  }

  const tolerations = fc.array(
    fc.record({
      key: fc.constantFrom('a', 'b'),
      operator: fc.constant('Exists'),
      ...{ tolerationSeconds: fc.option(fc.nat(20), { nil: undefined }) },
    }),
    { maxLength: 4 },
  );
  const taints = fc.uniqueArray(fc.constantFrom('a', 'b'), { maxLength: 2 });

  it('never evicts who tolerates everything for ever, and comes to rest', () => {
    fc.assert(
      fc.property(tolerations, taints, (list, keys) => {
        const node = nodeWith(...keys.map((key) => ({ key, effect: 'NoExecute' })));
        const pod = podWith(...(list as Toleration[]));
        const isSafe = keys.every((key) => list.some((one) => one.key === key && one.tolerationSeconds === undefined));
        const isLimited = list.some((one) => keys.includes(one.key) && one.tolerationSeconds !== undefined);
        let nowMs = 0;
        for (let round = 0; ; round++) {
          assert.ok(round < 3);
          const [step] = planTaintEviction(node, [pod], () => 0, nowMs);
          if (step?.type === 'wait') {
            nowMs = step.untilMs;
            continue;
          }
          if (step) assert.ok(!isSafe || isLimited);
          break;
        }
      }),
    );
  });
});

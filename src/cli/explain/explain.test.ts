import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Node, Pod } from '../../resources/kinds.ts';
import { annotations, labels, nodeConditions, nodeTaints, podConditions } from '../../resources/names.ts';
import { findTarget } from './explain.ts';
import { explainNode } from './explain-node.ts';
import { explainPod } from './explain-pod.ts';

const nowMs = Date.UTC(2026, 0, 1, 12);
const ago = (seconds: number) => new Date(nowMs - seconds * 1_000).toISOString().replace('.000Z', 'Z');

interface GivenNode {
  readonly ready?: string;
  readonly suspect?: 'True' | 'Unknown' | 'False';
  readonly taint?: string;
  readonly losses?: readonly number[];
}

function node(name: string, given: GivenNode = {}): Node {
  const conditions = [
    { type: 'Ready', status: given.ready ?? 'True', message: 'the agent is ready', lastTransitionTime: ago(120) },
    ...(given.suspect
      ? [{ type: nodeConditions.suspect, status: given.suspect, message: 'it is silent', lastTransitionTime: ago(60) }]
      : []),
    { type: nodeConditions.flapping, status: 'True', message: 'it was lost 2 times', lastTransitionTime: ago(5) },
  ];
  const lostTimes = (given.losses ?? []).map(ago).join(',');
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, annotations: lostTimes === '' ? {} : { [annotations.lostTimes]: lostTimes } },
    spec: given.taint ? { taints: [{ key: given.taint, effect: 'NoSchedule' }] } : {},
    status: { conditions },
  };
}

interface GivenPod {
  readonly nodeName?: string;
  readonly lost?: 'True' | 'False';
  readonly claim?: boolean;
  readonly after?: string;
  readonly isBare?: boolean;
  readonly ageSeconds?: number;
}

function pod(name: string, given: GivenPod = {}): Pod {
  const { nodeName = 'h1', ageSeconds = 600 } = given;
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-1', uid: 'rs-1', controller: true };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'shop',
      creationTimestamp: ago(ageSeconds),
      labels: { [labels.stack]: 'shop', [labels.service]: 'web' },
      annotations: given.after ? { [annotations.failoverAfter]: given.after } : {},
      ...(given.isBare ? {} : { ownerReferences: [owner] }),
    },
    spec: {
      containers: [{ name: 'web', image: 'web' }],
      ...(nodeName === '' ? {} : { nodeName }),
      ...(given.claim ? { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] } : {}),
    },
    status: {
      phase: nodeName === '' ? 'Pending' : 'Running',
      conditions: [
        { type: 'Ready', status: 'True' },
        ...(nodeName === '' ? [{ type: 'PodScheduled', status: 'False', message: '0 of 2 nodes can run it' }] : []),
        ...(given.lost
          ? [
              {
                type: podConditions.nodeLost,
                status: given.lost,
                message: 'h1 was silent',
                lastTransitionTime: ago(100),
              },
            ]
          : []),
      ],
    },
  };
}

describe('explain a node', () => {
  const tell = (of: Node, pods: readonly Pod[] = []) =>
    explainNode({ node: of, pods, ofGrid: 10_000, nowMs }).join('\n');

  it('a healthy one, and what its silence would mean', () => {
    const text = tell(node('h1'), [pod('a'), pod('b', { claim: true }), pod('c', { after: '5s' })]);
    assert.match(text, /^Node h1 is ready since 2026-01-01T11:58:00Z \(2m\): the agent is ready\.$/m);
    assert.match(text, /after 10s: shop\/a$/m);
    assert.match(text, /after 5s: shop\/c$/m);
    assert.match(text, /only when somebody confirms the loss \(a volume\): shop\/b$/m);
  });

  it('a suspect one keeps its instances, without traffic', () => {
    const text = tell(node('h1', { suspect: 'True' }), [pod('a')]);
    assert.match(text, /^Node h1 is suspect since 2026-01-01T11:59:00Z \(60s\): it is silent\.$/m);
    assert.match(text, /get no traffic as long as others of their service are ready/);
  });

  it('a doubted one is the operator’s to decide', () => {
    const text = tell(node('h1', { suspect: 'Unknown' }), [pod('a')]);
    assert.match(text, /this may be the servers' own fault: it is silent\.$/m);
    assert.match(text, /^Nothing is moved/m);
    assert.match(text, /flotilla node lost h1 --confirm$/m);
  });

  it('a lost one: what was given up, what waits, and what its return would do', () => {
    const lost = node('h1', { ready: 'Unknown', suspect: 'True', taint: nodeTaints.unreachable, losses: [900, 100] });
    const text = tell(lost, [pod('a', { lost: 'True' }), pod('b', { claim: true }), pod('c', { after: 'never' })]);
    assert.match(text, /^Node h1 is lost since/m);
    assert.match(text, /^Given up, not counted, and replaced where something makes them: shop\/a\.$/m);
    assert.match(text, /^Waiting for the node with their volume, which is there: shop\/b\.$/m);
    assert.match(text, /^Waiting for the node since their failover.after is not over: shop\/c\.$/m);
    assert.match(text, /its instances count again after 15s, since it was lost before;/);
    assert.match(text, /^It was lost 2 times lately, last at 2026-01-01T11:58:20Z\.$/m);
  });

  it('one that is back, and was lost too often', () => {
    const text = tell(node('h1', { taint: nodeTaints.flapping }), [pod('a', { lost: 'True' })]);
    assert.match(text, /^Node h1 answers, and is not used yet since .*: it was lost 2 times\.$/m);
    assert.match(text, /flotilla node undrain h1$/m);
  });
});

describe('explain an instance', () => {
  const tell = (of: Pod, siblings: readonly Pod[] = [], on: Node | undefined = node('h1')) =>
    explainPod({ pod: of, node: on, siblings, ofGrid: 10_000, nowMs }).join('\n');

  it('a healthy one', () => {
    assert.equal(
      tell(pod('a')),
      'Instance a of shop/web is on h1: Running, ready.\nIf h1 is silent for 10s (failover.after of the grid) it is replaced.',
    );
  });

  it('a lost one, with its stand-ins', () => {
    const lost = pod('a', { lost: 'True' });
    const text = tell(lost, [lost, pod('b'), pod('c', { ageSeconds: 90 })]);
    assert.match(text, /^Instance a of shop\/web is on h1: Lost\.$/m);
    assert.match(text, /^It does not count since 2026-01-01T11:58:20Z \(100s\): h1 was silent\.$/m);
    assert.match(text, /^ReplicaSet web-1 has made since: shop\/c\.$/m);
    assert.match(text, /^When h1 is back it counts again/m);
  });

  it('a task is not run a second time', () => {
    assert.match(
      tell(pod('a', { lost: 'True', isBare: true })),
      /^Nothing makes it anew, since it might have done its work/m,
    );
  });

  it('one that came back', () => {
    assert.match(tell(pod('a', { lost: 'False' })), /^It was lost, and counts again since .*: h1 was silent\.$/m);
  });

  it('one with a volume, one without a node, one on a suspect node', () => {
    assert.match(tell(pod('a', { claim: true })), /stays with it: only an operator gives it up/);
    assert.match(tell(pod('a', { nodeName: '' }), [], undefined), /^It waits for a node: 0 of 2 nodes can run it\.$/m);
    assert.match(
      tell(pod('a'), [], node('h1', { suspect: 'True' })),
      /Its node is not well now: flotilla explain node\/h1$/m,
    );
  });
});

describe('explain: what is meant', () => {
  const nodes = [node('h1'), node('web')];
  const pods = [pod('web'), pod('db')];
  const name = (target: string) => {
    const found = findTarget(nodes, pods, target);
    return found.type === 'node' ? `node ${found.node.metadata.name}` : `pod ${found.pod.metadata.name}`;
  };

  it('by kind, by stack, or by a bare name', () => {
    const cases = [
      ['node/h1', 'node h1'],
      ['h1', 'node h1'],
      ['no/web', 'node web'],
      ['pod/web', 'pod web'],
      ['shop/db', 'pod db'],
      ['db', 'pod db'],
    ] as const;
    for (const [target, expected] of cases) assert.equal(name(target), expected, target);
  });

  it('says when it is nothing, or two things', () => {
    assert.throws(() => name('h9'), /there is no node and no instance "h9"/);
    assert.throws(() => name('pod/h1'), /there is no node and no instance "pod\/h1"/);
    assert.throws(
      () => name('web'),
      (error: Error & { hint?: string }) => error.hint === 'say which: node/web, shop/web',
    );
  });
});

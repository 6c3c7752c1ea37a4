import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../lib/clock.ts';
import type { Applied } from '../resources/applied.ts';
import type { Node } from '../resources/kinds.ts';
import { labels } from '../resources/names.ts';
import { createIngressFollowers } from './ingress-followers.ts';

const node = (name: string, label?: string): Node => ({
  ...{ apiVersion: 'v1', kind: 'Node', spec: {} },
  metadata: { name, ...(label === undefined ? {} : { labels: { [labels.ingress]: label } }) },
});

test('only ingress nodes that are heard are asked; the sick ones are named with their reason', async () => {
  const clock = new ManualClock();
  const applied = new Map<string, Applied>();
  const heard = new Map<string, number>();
  let tellNode: (grid: string, name: string) => void = () => {};
  const unused = () => () => {};
  const objects = [
    node('h1', 'true'),
    node('h2', ''),
    node('h3', 'false'),
    node('h4'),
    node('h5', 'x'),
    node('h6', 'x'),
  ];
  const followers = createIngressFollowers({
    ...{ clock, grid: 'main' },
    nodes: { list: () => objects, onChange: () => {} },
    liveness: {
      lastHeardMs: (_grid, name) => heard.get(name),
      isLocal: () => false,
      onChange: unused,
      appliedOf: (_grid, name) => applied.get(name),
      onApplied: (listener) => {
        tellNode = listener;
        return () => {};
      },
      ingressProblemsOf: () => [],
      onIngressProblems: unused,
    },
  });
  const at = (certificates: number, problem?: string): Applied => ({
    revision: 1,
    ingress: { ingresses: 0, secrets: 0, certificates, ...(problem === undefined ? {} : { problem }) },
  });
  await clock.advance(10_000);
  for (const name of ['h1', 'h2', 'h3', 'h4', 'h6']) heard.set(name, 9_000);
  heard.set('h5', 6_000); // silent
  applied.set('h1', at(12));
  applied.set('h2', at(11));
  applied.set('h6', at(12, 'port 80 is taken'));
  const now = followers.at('certificates', 12);
  assert.deepEqual([now.served, now.lagging, [...now.sick]], [['h1'], ['h2'], [['h6', 'port 80 is taken']]]);
  let calls = 0;
  followers.onChange(() => calls++);
  applied.set('h2', at(12));
  tellNode('main', 'h2');
  tellNode('blue', 'h2');
  assert.deepEqual([calls, followers.at('certificates', 12).lagging], [1, []]);
});

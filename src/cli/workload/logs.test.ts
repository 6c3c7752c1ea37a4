import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Pod } from '../../resources/kinds.ts';
import { labels } from '../../resources/names.ts';
import { instanceOf, selectInstances } from './instances.ts';
import { followedOf, nextRun } from './logs.ts';

const instance = (name: string, service: string, uid = name) =>
  instanceOf({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', uid, labels: { [labels.stack]: 'shop', [labels.service]: service } },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  });

describe('what logs -f shows', () => {
  const all = [instance('web-1', 'web'), instance('web-2', 'web'), instance('db-1', 'db')];
  const follow = (target: string) => followedOf(selectInstances(all, target), target);
  const later = instance('web-3', 'web');

  test('of a service: every instance, also one that comes later', () => {
    for (const target of ['web', 'shop/web']) {
      const wanted = follow(target);
      const shown = [all[1]!, later, all[2]!].map((one) => wanted.has(one));
      assert.deepEqual([wanted.isNamed, shown], [false, [true, true, false]]);
    }
  });

  test('of a stack: every instance of its services', () => {
    const wanted = follow('shop');
    assert.deepEqual([wanted.isNamed, wanted.has(later), wanted.has(all[2]!)], [false, true, true]);
  });

  test('of an instance: itself, not its siblings, nor another of the same name', () => {
    for (const target of ['web-1', 'shop/web-1']) {
      const wanted = follow(target);
      assert.deepEqual([wanted.isNamed, wanted.has(all[0]!), wanted.has(all[1]!)], [true, true, false]);
      assert.equal(wanted.has(instance('web-1', 'web', 'another')), false);
    }
  });
});

describe('what follows when a log ended', () => {
  const at = (id: string, state: 'running' | 'terminated' | 'waiting', phase = 'Running', uid = 'u'): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web-1', namespace: 'shop', uid },
    spec: { containers: [{ name: 'c', image: 'i' }] },
    status: {
      phase,
      containerStatuses: [
        {
          ...{ name: 'c', image: 'i', imageID: '', ready: true, restartCount: 0, containerID: id },
          state: state === 'terminated' ? { terminated: { exitCode: 1 } } : { [state]: {} },
        },
      ],
    },
  });
  const cases: [what: string, now: Pod | undefined, next: string][] = [
    ['the stream broke, the container runs on', at('one', 'running'), 'same'],
    ['the container ended and waits to run again', at('one', 'waiting'), 'wait'],
    ['it runs again', at('two', 'running'), 'new'],
    ['it ran again and has ended already, for good', at('two', 'terminated', 'Succeeded'), 'new'],
    ['it ended for good', at('one', 'terminated', 'Failed'), 'end'],
    ['the pod is gone', undefined, 'end'],
    ['another pod has its name', at('two', 'running', 'Running', 'other'), 'end'],
  ];
  for (const [what, now, next] of cases) {
    test(what, () => assert.equal(nextRun(at('one', 'running'), now, 'one'), next));
  }
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { labels } from '../../resources/names.ts';
import { instanceOf, selectInstances } from './instances.ts';
import { followedOf } from './logs.ts';

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

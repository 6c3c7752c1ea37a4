import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ControllerRevision, Stack } from '../../resources/kinds.ts';
import type { StackService } from '../../resources/stack-types.ts';
import { specOfVersion, stackVersionOf, stackVersionsOf } from '../../resources/stack-version.ts';
import { planHistory, versionsKept } from './history.ts';

function stackOf(service: Partial<StackService>, cause?: string): Stack {
  return {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Stack',
    metadata: {
      name: 'shop',
      namespace: 'shop',
      uid: 'stack-1',
      ...(cause ? { annotations: { 'flotilla.dev/cause': cause } } : {}),
    },
    spec: { services: { web: { image: 'web:1', instances: 1, ...service } } },
  };
}

/** Carried out until nothing is left to do; gives the versions and what was written. */
function settle(stack: Stack, revisions: readonly ControllerRevision[], isThrough: boolean) {
  let now = [...revisions];
  for (let round = 0; round < 20; round += 1) {
    const { steps, version } = planHistory({ stack, revisions: now, isThrough });
    if (steps.length === 0) return { revisions: now, version };
    for (const step of steps) {
      assert.ok('object' in step);
      const object = step.object as ControllerRevision;
      now = now.filter((one) => one.metadata.name !== object.metadata.name);
      if (step.type !== 'delete') now.push(object);
    }
  }
  return assert.fail('does not come to rest');
}

describe('history of a stack', () => {
  it('has a version for each other spec, with its cause; none for another number of instances', () => {
    const first = settle(stackOf({}, 'deploy'), [], false);
    assert.equal(first.version, 1);
    assert.deepEqual(settle(stackOf({ instances: 5 }), first.revisions, false), first);
    const second = settle(stackOf({ image: 'web:2', instances: 5 }, 'deploy again'), first.revisions, true);
    const versions = stackVersionsOf(second.revisions, stackOf({}));
    assert.deepEqual(
      versions.map(({ number, cause, wasThrough }) => [number, cause, wasThrough]),
      [
        [1, 'deploy', false],
        [2, 'deploy again', true],
      ],
    );
    const back = settle(stackOf({ instances: 5 }, 'rollback to 1'), second.revisions, true);
    assert.equal(back.version, 3, 'what comes back is another version of the same content');
    const [version] = versions;
    assert.ok(version);
    const now = stackOf({ image: 'web:2', instances: 5 }).spec;
    assert.deepEqual(specOfVersion(version, now).services.web, { image: 'web:1', instances: 5 });
  });

  it('a number is never given twice, whatever was removed', () => {
    const stack = { ...stackOf({}), status: { version: 7 } };
    assert.equal(settle(stack, [], false).version, 8);
  });

  it('names them after the stack itself: those of another that had its name are in nobody’s way', () => {
    const { revisions } = settle(stackOf({}), [], false);
    const next = { ...stackOf({}), metadata: { ...stackOf({}).metadata, uid: '0a1b2c3d-and-more' } };
    const [first] = settle(next, [], false).revisions;
    assert.equal(first?.metadata.name, 'stack-shop-0a1b2c3d-1');
    assert.notEqual(revisions[0]?.metadata.name, first?.metadata.name);
  });

  it('another stack before it of this name has no part in it', () => {
    const { revisions } = settle(stackOf({}), [], false);
    const next = { ...stackOf({}), metadata: { ...stackOf({}).metadata, uid: 'stack-2' } };
    assert.deepEqual(stackVersionsOf(revisions, next), []);
  });

  it('keeps the last ten and the last good one, whatever is deployed', () => {
    const deploys = fc.array(fc.record({ image: fc.integer({ min: 1, max: 6 }), isGood: fc.boolean() }), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(deploys, (all) => {
        let revisions: readonly ControllerRevision[] = [];
        let lastGood: number | undefined;
        for (const { image, isGood } of all) {
          const settled = settle(stackOf({ image: `web:${image}` }), revisions, isGood);
          revisions = settled.revisions;
          if (isGood) lastGood = settled.version;
          const numbers = revisions.map((one) => stackVersionOf(one)!.number);
          assert.ok(numbers.length <= versionsKept + 1, `${numbers.length} versions`);
          assert.ok(numbers.includes(settled.version));
          assert.ok(lastGood === undefined || numbers.includes(lastGood));
        }
      }),
      { numRuns: 60 },
    );
  });
});

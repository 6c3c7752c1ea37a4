import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ApiObject } from '../../resources/object.ts';
import { type GarbageObservation, type OwnerState, planGarbage } from './plan.ts';

interface Sample {
  readonly owners?: readonly { uid: string; blocks?: boolean }[];
  readonly finalizers?: string[];
  readonly isDeleted?: boolean;
}

function object(uid: string, { owners = [], finalizers = [], isDeleted = false }: Sample = {}): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: uid,
      uid,
      finalizers,
      ownerReferences: owners.map((one) => ({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        name: one.uid,
        uid: one.uid,
        blockOwnerDeletion: one.blocks ?? false,
      })),
      ...(isDeleted ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
    },
  };
}

function plan(
  one: ApiObject,
  states: Readonly<Record<string, OwnerState>> = {},
  dependents: readonly ApiObject[] = [],
): string[] {
  const observed: GarbageObservation = {
    object: one,
    ownerState: (owner) => states[owner.uid] ?? 'unknown',
    dependents,
  };
  return planGarbage(observed).map((step) => {
    const detail =
      step.type === 'delete'
        ? step.propagationPolicy
        : step.type === 'dropOwners'
          ? step.uids.join()
          : step.type === 'removeFinalizer'
            ? step.finalizer
            : '';
    return `${step.type} ${step.object.metadata.name} ${detail}`.trim();
  });
}

describe('garbage plan, as a dependent', () => {
  const child = object('child', { owners: [{ uid: 'a' }] });
  const cases: [string, ApiObject, Record<string, OwnerState>, string[]][] = [
    ['owner alive', child, { a: 'alive' }, []],
    ['owner gone', child, { a: 'gone' }, ['delete child Background']],
    ['owner waits in the foreground', child, { a: 'waiting' }, ['delete child Background']],
    ['owner of a kind that is not known', child, { a: 'unknown' }, []],
    [
      'one of two owners gone',
      object('child', { owners: [{ uid: 'a' }, { uid: 'b' }] }),
      { a: 'gone', b: 'alive' },
      ['dropOwners child a'],
    ],
    ['no owners', object('child'), {}, []],
    ['being deleted already', object('child', { owners: [{ uid: 'a' }], isDeleted: true }), { a: 'gone' }, []],
  ];
  for (const [name, one, states, expected] of cases) it(name, () => assert.deepEqual(plan(one, states), expected));

  it('in a circle it stops holding up its owners, and then goes', () => {
    const waiting = object('a', {
      owners: [{ uid: 'child', blocks: true }],
      finalizers: ['foregroundDeletion'],
      isDeleted: true,
    });
    const blocking = object('child', { owners: [{ uid: 'a', blocks: true }] });
    assert.deepEqual(plan(blocking, { a: 'waiting' }, [waiting]), ['unblockOwners child']);
    assert.deepEqual(plan(child, { a: 'waiting' }, [waiting]), ['delete child Foreground']);
    const unblocked = object('child', { owners: [{ uid: 'a' }] });
    assert.deepEqual(plan(waiting, { child: 'alive' }, [unblocked]), ['removeFinalizer a foregroundDeletion']);
  });
  it('keeps the way of deletion that its finalizer asks for', () => {
    const foreground = object('child', { owners: [{ uid: 'a' }], finalizers: ['foregroundDeletion'] });
    assert.deepEqual(plan(foreground, { a: 'gone' }), ['delete child Foreground']);
    const orphaning = object('child', { owners: [{ uid: 'a' }], finalizers: ['orphan'] });
    assert.deepEqual(plan(orphaning, { a: 'gone' }), ['delete child Orphan']);
  });
  it('a foreground deletion goes on through dependents', () => {
    const grandchild = object('grandchild', { owners: [{ uid: 'child', blocks: true }] });
    assert.deepEqual(plan(child, { a: 'waiting' }, [grandchild]), ['delete child Foreground']);
  });
});

describe('garbage plan, as an owner', () => {
  const deleted = (finalizer: string) => object('a', { finalizers: [finalizer], isDeleted: true });
  const blocking = object('child', { owners: [{ uid: 'a', blocks: true }] });
  const loose = object('child', { owners: [{ uid: 'a' }] });

  it('orphans its dependents, then goes', () => {
    assert.deepEqual(plan(deleted('orphan'), {}, [loose]), ['dropOwners child a']);
    assert.deepEqual(plan(deleted('orphan')), ['removeFinalizer a orphan']);
  });
  it('waits in the foreground for those that block it only', () => {
    assert.deepEqual(plan(deleted('foregroundDeletion'), {}, [blocking]), []);
    assert.deepEqual(plan(deleted('foregroundDeletion'), {}, [loose]), ['removeFinalizer a foregroundDeletion']);
  });
});

describe('garbage plan, any graph', () => {
  /** Edges point anywhere: there may be circles. */
  const graphs = fc.array(fc.tuple(fc.array(fc.nat(8), { maxLength: 2 }), fc.boolean()), {
    minLength: 1,
    maxLength: 9,
  });

  it('after the root is deleted, all that hangs on it only goes and all else stays', () => {
    fc.assert(
      fc.property(graphs, fc.boolean(), (graph, isForeground) => {
        let objects = graph.map(([owners, blocks], at) =>
          object(`o${at}`, {
            owners: [...new Set(owners.filter((one) => one < graph.length))].map((one) => ({ uid: `o${one}`, blocks })),
          }),
        );
        // What only hangs on itself in a circle has a living owner, and stays.
        let expected = objects.slice(1).map((one) => one.metadata.name);
        const hasLivingOwner = ({ metadata: { ownerReferences = [] } }: ApiObject) =>
          ownerReferences.length === 0 || ownerReferences.some((one) => expected.includes(one.uid));
        for (let before = 0; before !== expected.length; ) {
          before = expected.length;
          expected = expected.filter((name) => hasLivingOwner(objects[Number(name.slice(1))]!));
        }
        const remove = (uid: string, isWaiting: boolean) => {
          objects = isWaiting
            ? objects.map((one) =>
                one.metadata.uid === uid
                  ? {
                      ...one,
                      metadata: { ...one.metadata, finalizers: ['foregroundDeletion'], deletionTimestamp: 'x' },
                    }
                  : one,
              )
            : objects.filter((one) => one.metadata.uid !== uid);
        };
        remove('o0', isForeground);
        for (let round = 0; round < 50; round += 1) {
          const steps = objects.flatMap((one) =>
            planGarbage({
              object: one,
              ownerState: ({ uid }) => {
                const owner = objects.find((other) => other.metadata.uid === uid);
                return owner ? (owner.metadata.deletionTimestamp ? 'waiting' : 'alive') : 'gone';
              },
              dependents: objects.filter((other) =>
                other.metadata.ownerReferences?.some((ref) => ref.uid === one.metadata.uid),
              ),
            }),
          );
          if (steps.length === 0) break;
          for (const step of steps) {
            const uid = step.object.metadata.uid ?? '';
            if (step.type === 'delete') remove(uid, step.propagationPolicy === 'Foreground');
            else if (step.type === 'removeFinalizer') remove(uid, false);
            else if (step.type === 'unblockOwners') {
              for (const ref of objects.find((one) => one.metadata.uid === uid)?.metadata.ownerReferences ?? []) {
                ref.blockOwnerDeletion = false;
              }
            } else {
              objects = objects.map((one) => {
                if (one.metadata.uid !== uid) return one;
                const ownerReferences = (one.metadata.ownerReferences ?? []).filter(
                  (ref) => !step.uids.includes(ref.uid),
                );
                return { ...one, metadata: { ...one.metadata, ownerReferences } };
              });
            }
          }
        }
        assert.deepEqual(
          objects.map((one) => one.metadata.name),
          expected,
        );
      }),
      { numRuns: 500 },
    );
  });

  it('never deletes what has a living or an unknown owner', () => {
    const states = fc.array(fc.constantFrom<OwnerState>('alive', 'gone', 'waiting', 'unknown'), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(states, (list) => {
        const one = object('child', { owners: list.map((_, at) => ({ uid: `o${at}` })) });
        const steps = planGarbage({
          object: one,
          ownerState: ({ uid }) => list[Number(uid.slice(1))]!,
          dependents: [],
        });
        if (list.includes('alive') || list.includes('unknown'))
          assert.ok(steps.every((step) => step.type !== 'delete'));
      }),
    );
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { rollbackRecordOf } from '../../resources/rollback-record.ts';
import { sampleDeployment } from '../sample-objects.ts';
import { wasRolledOut } from './rollback.ts';
import { rollingBounds } from './rolling.ts';
import { Rollout } from './test-rollout.ts';

const auto = { 'flotilla.dev/auto-rollback': 'true' };
const bad = (image: string) => (image.startsWith('bad') ? 0 : 10);

function rolledOut(given: Parameters<typeof sampleDeployment>[0] = {}, own: Record<string, string> = auto): Rollout {
  const rollout = new Rollout(sampleDeployment({ progressDeadlineSeconds: 20, ...given }, 'web:1'));
  rollout.annotate(own);
  for (let at = 0; at < 6; at += 1) rollout.round(bad);
  assert.equal(rollout.condition('Progressing')?.reason, 'NewReplicaSetAvailable');
  return rollout;
}

function run(rollout: Rollout, rounds = 60): void {
  for (let at = 0; at < rounds; at += 1) rollout.round(bad);
}

describe('rollback', () => {
  it('takes back what is not healthy at its deadline, once, and says what it was', () => {
    const rollout = rolledOut();
    rollout.deploy('bad:2');
    run(rollout, 15);
    assert.equal(rollout.sizeOf('bad:2'), 1, 'one more instance is tried');
    assert.deepEqual(rollout.rollbacks, []);
    run(rollout);
    assert.deepEqual(rollout.rollbacks, ['bad:2 → web:1']);
    assert.equal(rollout.sizeOf('web:1'), 3);
    assert.equal(rollout.total, 3);
    assert.deepEqual(rollout.steps, []);
    const { reason, status, message } = rollout.condition('flotilla.dev/RolledBack') ?? {};
    assert.deepEqual([reason, status], ['ProgressDeadlineExceeded', 'True']);
    assert.equal(
      message,
      'revision 2 did not become healthy within its deadline: instance web-1 runs and is not ready; back to revision 1\n' +
        'last lines:\n  | no database',
    );
    assert.equal(rollout.condition('Progressing')?.reason, 'NewReplicaSetAvailable');
  });

  it('is not done for those that do not ask for it', () => {
    const rollout = rolledOut({}, {});
    rollout.deploy('bad:2');
    run(rollout);
    assert.deepEqual(rollout.rollbacks, []);
    assert.equal(rollout.condition('Progressing')?.reason, 'ProgressDeadlineExceeded');
    assert.ok(
      !rollout.setOf('web:1')?.metadata.annotations?.['flotilla.dev/rolled-out'],
      'and nothing of ours is seen',
    );
  });

  it('leaves the first revision as it is: there is nothing to go back to', () => {
    const rollout = new Rollout(sampleDeployment({ progressDeadlineSeconds: 20 }, 'bad:1'));
    rollout.annotate(auto);
    run(rollout);
    assert.deepEqual(rollout.rollbacks, []);
    assert.equal(rollout.sizeOf('bad:1'), 3);
  });

  it('goes to the last one that was through, not to one that never was; with Recreate, too', () => {
    for (const strategy of [undefined, { type: 'Recreate' }]) {
      const rollout = rolledOut(strategy ? { strategy } : {});
      rollout.deploy('bad:2');
      run(rollout, 5);
      rollout.deploy('bad:3');
      run(rollout);
      assert.deepEqual(rollout.rollbacks, ['bad:3 → web:1']);
      assert.equal(rollout.available, 3);
    }
  });

  it('a newer deploy supersedes it and its record; the same wish with another size does not', () => {
    const rollout = rolledOut({}, { ...auto, 'flotilla.dev/template-hash': 'one' });
    rollout.deploy('bad:2', { 'flotilla.dev/template-hash': 'two' });
    run(rollout);
    assert.equal(rollbackRecordOf(rollout.deployment)?.templateHash, 'two');
    rollout.deployment = { ...rollout.deployment, spec: { ...rollout.deployment.spec, replicas: 5 } };
    run(rollout, 5);
    assert.equal(rollout.sizeOf('web:1'), 5);
    assert.ok(rollout.condition('flotilla.dev/RolledBack'));
    rollout.deploy('web:1-restarted');
    run(rollout, 20);
    assert.equal(rollout.sizeOf('web:1-restarted'), 5);
    assert.ok(rollout.condition('flotilla.dev/RolledBack'), 'a restart of what is good is no other wish');
    rollout.deploy('web:3', { 'flotilla.dev/template-hash': 'three' });
    run(rollout, 20);
    assert.equal(rollout.condition('flotilla.dev/RolledBack'), undefined);
    assert.equal(rollbackRecordOf(rollout.deployment), undefined);
    assert.equal(rollout.sizeOf('web:3'), 5);
    assert.ok(wasRolledOut(rollout.setOf('web:3')!));
  });

  it('the good revision, asked for by its name, is no rollback any more', () => {
    const rollout = rolledOut({}, { ...auto, 'flotilla.dev/template-hash': 'one' });
    rollout.deploy('bad:2', { 'flotilla.dev/template-hash': 'two' });
    run(rollout);
    rollout.deploy('web:1', { 'flotilla.dev/template-hash': 'one' });
    run(rollout, 3);
    assert.equal(rollout.condition('flotilla.dev/RolledBack'), undefined);
  });

  it('somebody aborts: at once, paused or not, and only the rollout that was named', () => {
    const rollout = rolledOut();
    rollout.deploy('bad:2');
    run(rollout, 3);
    rollout.annotate({ 'flotilla.dev/abort': 'web-other' });
    run(rollout, 1);
    assert.equal(rollout.deployment.metadata.annotations?.['flotilla.dev/abort'], undefined);
    assert.deepEqual(rollout.rollbacks, []);
    rollout.deployment = { ...rollout.deployment, spec: { ...rollout.deployment.spec, paused: true } };
    rollout.annotate({ 'flotilla.dev/abort': rollout.setOf('bad:2')?.metadata.name ?? '' });
    run(rollout, 4);
    assert.deepEqual(rollout.rollbacks, ['bad:2 → web:1']);
    assert.equal(rollout.condition('flotilla.dev/RolledBack')?.reason, 'Aborted');
    assert.equal(rollout.deployment.spec.paused, undefined);
    assert.deepEqual([rollout.sizeOf('web:1'), rollout.total], [3, 3]);
  });

  it('what is through is not aborted', () => {
    const rollout = rolledOut();
    rollout.deploy('web:2');
    run(rollout, 20);
    rollout.annotate({ 'flotilla.dev/abort': rollout.setOf('web:2')?.metadata.name ?? '' });
    run(rollout, 2);
    assert.deepEqual(rollout.rollbacks, []);
    assert.equal(rollout.deployment.metadata.annotations?.['flotilla.dev/abort'], undefined);
  });

  it('whatever is deployed in turn, it ends: with the last wish if that is healthy, else with the last good one', () => {
    const images = fc.array(fc.constantFrom('web:1', 'web:2', 'bad:1', 'bad:2'), { minLength: 1, maxLength: 6 });
    const bounds = fc.record({ maxSurge: fc.nat(3), maxUnavailable: fc.nat(2) });
    fc.assert(
      fc.property(
        images,
        bounds,
        fc.integer({ min: 1, max: 6 }),
        fc.nat(40),
        (wishes, rollingUpdate, replicas, rounds) => {
          const strategy = { type: 'RollingUpdate', rollingUpdate };
          const rollout = rolledOut({ replicas, strategy });
          const { maxSurge, maxUnavailable } = rollingBounds(rollout.deployment);
          const goes = (count: number) => {
            for (let at = 0; at < count; at += 1) {
              rollout.round(bad);
              assert.ok(rollout.available >= replicas - maxUnavailable, `${rollout.available} available`);
              assert.ok(rollout.total <= replicas + maxSurge, `${rollout.total} pods`);
            }
          };
          for (const image of wishes) {
            rollout.deploy(image);
            goes(rounds);
          }
          goes(120);
          assert.deepEqual(rollout.steps, []);
          assert.deepEqual([rollout.available, rollout.total], [replicas, replicas]);
          const last = wishes.at(-1)!;
          if (last.startsWith('web')) assert.equal(rollout.sizeOf(last), replicas);
          else assert.ok(rollout.condition('flotilla.dev/RolledBack'));
        },
      ),
      { numRuns: 150 },
    );
  });
});

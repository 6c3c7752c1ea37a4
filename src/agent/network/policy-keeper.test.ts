import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createFakePolicyEnforcer } from '../../adapters/policy/fake.ts';
import { ManualClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import type { NetworkPolicy, Pod } from '../../resources/kinds.ts';
import type { PolicyView } from './pod-policies.ts';
import { startPolicyKeeper } from './policy-keeper.ts';

const closed: NetworkPolicy = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'closed', namespace: 'a' },
  spec: { podSelector: {}, policyTypes: ['Ingress'] },
};
const own = (name: string, at: number) => {
  const pod: Pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'a' }, spec: { containers: [] } };
  return { pod, address: `10.80.0.${at}` };
};
const failure = new Error('nft: out of memory');

function start(first?: Partial<PolicyView>) {
  const clock = new ManualClock();
  const enforcer = createFakePolicyEnforcer();
  const view = (given: Partial<PolicyView>): PolicyView => ({ ownPods: [], policies: [closed], groups: [], ...given });
  let now = first && view(first);
  const problems: (string | undefined)[] = [];
  const keeper = startPolicyKeeper({
    enforcer,
    view: () => now,
    onProblem: (problem) => problems.push(problem),
    clock,
    log: silentLogger,
  });
  /** Until everything that this time brings is done. */
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left--) {
      clock.advance(1);
      for (let turn = 0; turn < 8; turn++) await Promise.resolve();
    }
  };
  return {
    keeper,
    enforcer,
    problems,
    pass,
    see: (given: Partial<PolicyView>) => {
      now = view(given);
      keeper.changed();
    },
    isClosed: (at: number) => !enforcer.allows({ from: '192.0.2.1', to: `10.80.0.${at}`, protocol: 'TCP', port: 80 }),
  };
}
const never = new AbortController().signal;

/** How it stands now. */
function outcome(promise: Promise<unknown>): { readonly word: string } {
  const state = { word: 'waits' };
  promise.then(
    () => {
      state.word = 'done';
    },
    (error: unknown) => {
      state.word = String(error);
    },
  );
  return state;
}

describe('the keeper of network policies', () => {
  it('a pod that starts waits until its rules are in force, also while nothing is known yet', async () => {
    const { keeper, see, pass, isClosed } = start();
    const pod = outcome(keeper.ensure(never));
    await pass(1_000);
    assert.equal(pod.word, 'waits');
    see({ ownPods: [own('p', 2)] });
    await pass(10);
    assert.equal(pod.word, 'done');
    assert.equal(isClosed(2), true);
    await keeper.stop();
  });

  it('follows what changes, and takes rules back', async () => {
    const { keeper, see, pass, isClosed } = start({ ownPods: [own('p', 2), own('q', 3)] });
    keeper.changed();
    await pass(10);
    assert.deepEqual([isClosed(2), isClosed(3)], [true, true]);
    see({ ownPods: [own('p', 2)] });
    await pass(10);
    assert.deepEqual([isClosed(2), isClosed(3)], [true, false]);
    see({ ownPods: [own('p', 2)], policies: [] });
    await pass(10);
    assert.equal(isClosed(2), false);
    await keeper.stop();
  });

  it('says what is wrong, tells who waits, and tries again', async () => {
    const { keeper, enforcer, problems, pass, isClosed } = start({ ownPods: [own('p', 2)] });
    enforcer.failNext(failure);
    const pod = outcome(keeper.ensure(never));
    await pass(10);
    assert.equal(pod.word, `Error: ${failure.message}`);
    assert.equal(keeper.problem, `network policies are not in force: ${failure.message}`);
    await pass(300);
    assert.equal(isClosed(2), true);
    assert.deepEqual(problems, [`network policies are not in force: ${failure.message}`, undefined]);
    await keeper.stop();
  });

  it('mends within 10 s what somebody else took away', async () => {
    const { keeper, enforcer, pass, isClosed } = start({ ownPods: [own('p', 2)] });
    keeper.changed();
    await pass(10);
    enforcer.drift();
    assert.equal(isClosed(2), false);
    await pass(9_000);
    assert.equal(isClosed(2), true);
    await keeper.stop();
  });

  it('who gives up waiting, or waits when the agent stops, is told', async () => {
    const { keeper, pass } = start();
    const abort = new AbortController();
    const [given, stopped] = [outcome(keeper.ensure(abort.signal)), outcome(keeper.ensure(never))];
    abort.abort(new Error('too long'));
    await pass(1);
    assert.deepEqual([given.word, stopped.word], ['Error: too long', 'waits']);
    await keeper.stop();
    await pass(1);
    assert.equal(stopped.word, 'Error: the agent stops');
    await assert.rejects(keeper.ensure(never), /the agent stops/);
  });
});

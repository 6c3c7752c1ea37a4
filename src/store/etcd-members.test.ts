import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hasCode } from '../lib/errors.ts';
import { faultOf } from './etcd-faults.ts';
import { EtcdMembers, type EtcdTry } from './etcd-members.ts';

/** Members that answer, fail or say nothing, by name. */
function membersOf(behaviour: Record<string, () => Promise<string>>, timeoutMs = 400) {
  const asked: string[] = [];
  const members = new EtcdMembers({
    endpoints: Object.keys(behaviour),
    // Only what is called on it has to be there.
    open: (endpoint) =>
      ({ name: endpoint, close: () => {}, maintenance: { status: async () => ({ leader: '0' }) } }) as never,
    timeoutMs,
    probe: async () => 'ok',
  });
  const run = ({ client }: EtcdTry) => {
    const { name } = client as unknown as { readonly name: string };
    asked.push(name);
    return behaviour[name]!();
  };
  return { members, asked, run };
}

const refused = () => Promise.reject(new Error('14 UNAVAILABLE: No connection established. Last error: ECONNREFUSED'));
const dropped = () => Promise.reject(new Error('14 UNAVAILABLE: Connection dropped'));
const silent = () => new Promise<string>(() => {});

describe('the members of an etcd', () => {
  it('are asked in order, those that failed last', async () => {
    const { members, asked, run } = membersOf({ a: refused, b: async () => 'b', c: async () => 'c' });
    assert.equal(await members.ask(run, { hedgeMs: 1_000 }), 'b');
    assert.equal(members.openBest().endpoint, 'b');
    assert.equal(await members.ask(run, { hedgeMs: 1_000 }), 'b');
    assert.deepEqual(asked, ['a', 'b', 'b']);
    members.close();
  });

  it('are opened anew for what lasts longer than a call: the library closes all of a client when one stream ends', async () => {
    const { members } = membersOf({ a: async () => 'a' });
    const used = await members.ask(async ({ client }) => client, { hedgeMs: 1_000 });
    const [one, other] = [members.openBest(), members.openBest()];
    assert.equal(new Set<unknown>([used, one.client, other.client]).size, 3);
    members.close();
  });

  it('cost a moment when they say nothing', async () => {
    const { members, run } = membersOf({ a: silent, b: async () => 'b' });
    assert.equal(await members.ask(run, { hedgeMs: 5 }), 'b');
    members.close();
  });

  it('are not asked twice for what must not be made twice, unless it surely never left', async () => {
    const unsure = membersOf({ a: dropped, b: async () => 'b' });
    await assert.rejects(unsure.members.ask(unsure.run, { hedgeMs: undefined }), (error) => {
      assert.ok(hasCode(error, 'StoreUnavailable') && error.retryable);
      assert.match(error.message, /^the store has no quorum: .*may or may not be made$/);
      return true;
    });
    assert.deepEqual(unsure.asked, ['a']);
    unsure.members.close();
    const sure = membersOf({ a: refused, b: async () => 'b' });
    assert.equal(await sure.members.ask(sure.run, { hedgeMs: undefined }), 'b');
    sure.members.close();
  });

  it('are believed when they refuse', async () => {
    const compacted = new Error('11 OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted');
    const { members, asked, run } = membersOf({ a: () => Promise.reject(compacted), b: async () => 'b' });
    await assert.rejects(members.ask(run, { hedgeMs: 5 }), compacted);
    assert.deepEqual(asked, ['a']);
    members.close();
  });

  it('are asked again and again until the time is over', async () => {
    const { members, asked, run } = membersOf({ a: refused, b: refused });
    await assert.rejects(members.ask(run, { hedgeMs: 5 }), (error) => hasCode(error, 'StoreUnavailable'));
    assert.ok(asked.length >= 4, asked.join());
    members.close();
  });
});

describe('what a failure of etcd says about itself', () => {
  const table: readonly (readonly [string, ReturnType<typeof faultOf>])[] = [
    ['14 UNAVAILABLE: No connection established. Last error: connect ECONNREFUSED 127.0.0.1:1', 'unsent'],
    ['8 RESOURCE_EXHAUSTED: etcdserver: too many requests', 'unsent'],
    ['14 UNAVAILABLE: Connection dropped', 'unknown'],
    ['4 DEADLINE_EXCEEDED: Deadline exceeded after 5s', 'unknown'],
    ['14 UNAVAILABLE: etcdserver: request timed out', 'unknown'],
    ['14 UNAVAILABLE: etcdserver: leader changed', 'unknown'],
    ['14 UNAVAILABLE: etcdserver: no leader', 'unknown'],
    ['8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded', 'refused'],
    ['3 INVALID_ARGUMENT: etcdserver: duplicate key given in txn request', 'refused'],
    ['5 NOT_FOUND: etcdserver: requested lease not found', 'refused'],
  ];
  for (const [words, fault] of table) {
    it(`${words}: ${fault}`, () => assert.equal(faultOf(new Error(words)), fault));
  }
});

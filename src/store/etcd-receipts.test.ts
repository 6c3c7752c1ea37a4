import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { IRequestOp, ITxnRequest, ITxnResponse } from 'etcd3';
import fc from 'fast-check';
import { ManualClock } from '../lib/clock.ts';
import { compareReceipt, EtcdReceipts, onConflict, putReceipt, type Receipt, verdictOf } from './etcd-receipts.ts';

/** As much of etcd as these transactions need: compare by Mod, put, range, one transaction inside. */
class SmallEtcd {
  revision = 1;
  readonly #keys = new Map<string, { value: string; modRevision: number }>();

  txn(request: ITxnRequest): ITxnResponse {
    this.#next = undefined;
    const answer = this.#run(request);
    if (this.#next !== undefined) this.revision = this.#next;
    return { ...answer, header: { revision: String(this.revision) } } as ITxnResponse;
  }

  get(key: string): { value: string; modRevision: number } | undefined {
    return this.#keys.get(key);
  }

  remove(key: string): void {
    this.revision += 1;
    this.#keys.delete(key);
  }

  #next: number | undefined;

  #run({ compare = [], success = [], failure = [] }: ITxnRequest) {
    const holds = compare.every(({ key, ...more }) => {
      const wanted = Number((more as { mod_revision?: string }).mod_revision);
      return (this.#keys.get(String(key))?.modRevision ?? 0) === wanted;
    });
    return { succeeded: holds, responses: (holds ? success : failure).map((one) => this.#operate(one)) };
  }

  #operate({ request_put: put, request_range: range, request_txn: txn }: IRequestOp): object {
    if (txn) return { response_txn: this.#run(txn) };
    if (put) {
      this.#next = this.revision + 1;
      this.#keys.set(String(put.key), { value: String(put.value), modRevision: this.#next });
      return { response_put: {} };
    }
    const found = this.#keys.get(String(range?.key));
    const kvs = found ? [{ value: Buffer.from(found.value), mod_revision: String(found.modRevision) }] : [];
    return { response_range: { kvs } };
  }
}

const objectKey = Buffer.from('/o/a');
const put = (value: string): IRequestOp => ({ request_put: { key: objectKey, value: Buffer.from(value) } });

/** The create of one object, as a try of it is sent. */
function tryOf(receipt: Receipt, number: number): ITxnRequest {
  return {
    compare: [compareReceipt(receipt), { key: objectKey, target: 'Mod', result: 'Equal', mod_revision: '0' }],
    success: [put(receipt.value), putReceipt(receipt)],
    failure: [onConflict(receipt, number)],
  };
}

const receipts = () => new EtcdReceipts({ root: '/r#', grantLease: async () => 'lease' });

describe('receipts of commits', () => {
  it('tell a later try that an earlier one was made, and a conflict from it', async () => {
    const etcd = new SmallEtcd();
    const pool = receipts();
    const mine = await pool.take();
    const made = etcd.txn(tryOf(mine, 1));
    assert.deepEqual(verdictOf(mine, made), { type: 'made', revision: 2 });
    assert.deepEqual(verdictOf(mine, etcd.txn(tryOf(mine, 2))), { type: 'made', revision: 2 });
    const other = await pool.take();
    assert.deepEqual(verdictOf(other, etcd.txn(tryOf(other, 1))), { type: 'conflict', isFinal: false });
    assert.equal(etcd.revision, 2, 'a conflict at the first try takes no revision');
    assert.deepEqual(verdictOf(other, etcd.txn(tryOf(other, 2))), { type: 'conflict', isFinal: true });
    // The answer to that was lost, too.
    assert.deepEqual(verdictOf(other, etcd.txn(tryOf(other, 3))), { type: 'conflict', isFinal: true });
  });

  it('lets a commit be made at most once, and never after it was called a conflict', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('try', 'late try', 'other creates', 'other removes'), { minLength: 1, maxLength: 12 }),
        async (steps) => {
          const etcd = new SmallEtcd();
          const pool = receipts();
          const mine = await pool.take();
          let tries = 0;
          let made = 0;
          let verdict = '';
          for (const step of steps) {
            if (step === 'other removes') etcd.remove('/o/a');
            else if (step === 'other creates') {
              const other = await pool.take();
              etcd.txn(tryOf(other, 1));
            } else {
              // A late one is the first, which stood in a buffer all the time: nobody hears its answer.
              const number = step === 'try' ? ++tries : 1;
              if (step === 'late try') tries = Math.max(tries, 1);
              const answer = etcd.txn(tryOf(mine, number));
              if (answer.succeeded) made += 1;
              if (step !== 'try') continue;
              const said = verdictOf(mine, answer);
              assert.notEqual(said.type, 'unknown');
              if (said.type === 'conflict' && !said.isFinal) continue;
              if (verdict !== '') assert.equal(said.type, verdict, 'it does not change its mind');
              verdict = said.type;
            }
          }
          assert.ok(made <= 1, `made ${made} times`);
          if (verdict === 'conflict') assert.equal(made, 0);
          if (verdict === 'made') assert.equal(made, 1);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('are used again with the lease they hang on, and not with another', async () => {
    const clock = new ManualClock();
    let leases = 0;
    const pool = new EtcdReceipts({ root: '/r#', grantLease: async () => `lease-${++leases}`, clock });
    const first = await pool.take();
    pool.give(first, 7);
    const again = await pool.take();
    assert.deepEqual([again.key, again.modRevision, again.lease], [first.key, 7, 'lease-1']);
    assert.notEqual(again.value, first.value);
    pool.give(again, 8);
    await clock.advance(1_300_000);
    const fresh = await pool.take();
    assert.deepEqual([fresh.modRevision, fresh.lease], [0, 'lease-2']);
    assert.notDeepEqual(fresh.key, first.key);
  });
});

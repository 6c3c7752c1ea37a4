// How a commit whose answer was lost is known to have been made or not, and can be asked for again without being made
// twice. Each commit replaces one receipt, a small key of this process alone, on the condition that the receipt is as this
// process left it. So of all tries of a commit at most one is ever made, however late the others arrive; and whoever finds
// the receipt changed reads in it what happened. Receipts are outside of the keys that watches see (ADR 0012).
import { randomBytes } from 'node:crypto';
import type { ICompare, IRequestOp, ITxnResponse } from 'etcd3';
import { type Clock, systemClock } from '../lib/clock.ts';

/** One receipt, taken by one commit at a time. */
export interface Receipt {
  readonly key: Buffer;
  /** As this process left it; 0: not written yet. */
  readonly modRevision: number;
  /** Unique in this process. */
  readonly value: string;
  readonly lease: string;
}

export type Verdict =
  /** Made, at this revision. */
  | { readonly type: 'made'; readonly revision: number }
  /** A condition of the commit does not hold; `isFinal`: and no try of it will ever be made. */
  | { readonly type: 'conflict'; readonly isFinal: boolean }
  /** The receipt is neither as we left it nor ours: it expired under a process that stood still for very long. */
  | { readonly type: 'unknown' };

export interface EtcdReceiptsOptions {
  /** What the keys of receipts start with. */
  readonly root: string;
  readonly grantLease: (ttlSeconds: number) => Promise<string>;
  readonly clock?: Clock;
}

const leaseSeconds = 3_600;
/** A receipt lives at least so much longer than any commit that uses it. */
const renewAfterMs = 1_200_000;
const voidPrefix = 'void ';

export class EtcdReceipts {
  readonly #options: EtcdReceiptsOptions;
  readonly #clock: Clock;
  readonly #owner = randomBytes(9).toString('base64url');
  readonly #free: { readonly key: Buffer; readonly modRevision: number; readonly lease: string }[] = [];
  #lease: { readonly id: Promise<string>; readonly fromMs: number } | undefined;
  #made = 0;
  #used = 0;

  constructor(options: EtcdReceiptsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  async take(): Promise<Receipt> {
    const lease = await this.#currentLease();
    const value = String(++this.#used);
    for (let free = this.#free.pop(); free; free = this.#free.pop()) {
      // One that hangs on an older lease may end with it.
      if (free.lease === lease) return { ...free, value };
    }
    const key = Buffer.from(`${this.#options.root}${this.#owner}/${++this.#made}`, 'latin1');
    return { key, modRevision: 0, value, lease };
  }

  /** After a commit that was tried once and answered. All others are not used again: a late try may still change them. */
  give({ key, lease }: Receipt, modRevision: number): void {
    this.#free.push({ key, modRevision, lease });
  }

  /** The lease is gone: somebody revoked it. */
  forgetLease(): void {
    this.#lease = undefined;
  }

  #currentLease(): Promise<string> {
    const nowMs = this.#clock.monotonicMs();
    if (!this.#lease || nowMs - this.#lease.fromMs > renewAfterMs) {
      const lease = { id: this.#options.grantLease(leaseSeconds), fromMs: nowMs };
      this.#lease = lease;
      lease.id.catch(() => {
        if (this.#lease === lease) this.#lease = undefined;
      });
    }
    return this.#lease.id;
  }
}

/** The receipt is as this process left it: no try of the commit has been made. */
export function compareReceipt({ key, modRevision }: Receipt): ICompare {
  return { key, target: 'Mod', result: 'Equal', mod_revision: String(modRevision) };
}

export function putReceipt({ key, value, lease }: Receipt): IRequestOp {
  return { request_put: { key, value: Buffer.from(value), lease } };
}

/**
 * What is done when the conditions do not hold. The first try only looks; a later one also takes the receipt away from the
 * earlier ones, which may still be on their way: what is reported as a conflict must not be made afterwards.
 */
export function onConflict(receipt: Receipt, tryNumber: number): IRequestOp {
  const look: IRequestOp = { request_range: { key: receipt.key } };
  if (tryNumber === 1) return look;
  const value = Buffer.from(voidPrefix + receipt.value);
  const put: IRequestOp = { request_put: { key: receipt.key, value, lease: receipt.lease } };
  return { request_txn: { compare: [compareReceipt(receipt)], success: [put], failure: [look] } };
}

/** Reads the answer to a transaction made of the three above. */
export function verdictOf(receipt: Receipt, answer: ITxnResponse): Verdict {
  if (answer.succeeded) return { type: 'made', revision: Number(answer.header.revision) };
  const [first] = answer.responses;
  const inner = first?.response_txn;
  if (inner?.succeeded) return { type: 'conflict', isFinal: true };
  const [found] = (inner ? inner.responses[0]?.response_range : first?.response_range)?.kvs ?? [];
  const modRevision = Number(found?.mod_revision ?? 0);
  if (modRevision === receipt.modRevision) return { type: 'conflict', isFinal: false };
  const value = found?.value.toString() ?? '';
  if (value === receipt.value) return { type: 'made', revision: modRevision };
  return value === voidPrefix + receipt.value ? { type: 'conflict', isFinal: true } : { type: 'unknown' };
}

import type { Stack } from '../../resources/kinds.ts';
import { isChecked } from '../../resources/stack-facts.ts';
import { deployVerdict, type Verdict } from './verdict.ts';

/**
 * A service without a health check is ready the moment its container runs, also when that ends a moment later: what runs
 * must go on running for so long before a deploy is called done.
 */
const settleMs = 1_500;
/** A container that crashes again and again looks well in between: trouble is over when it has not been seen for so long. */
const relapseMs = 3_000;

/** Follows a stack's status during a deploy. Pure but for what it remembers. */
export class DeployWatch {
  readonly #generation: number;
  readonly #tolerated: readonly string[];
  #trouble: { reason: string; sinceMs: number; seenMs: number } | undefined;
  #doneSinceMs: number | undefined;

  constructor(generation: number, tolerated: readonly string[] = []) {
    this.#generation = generation;
    this.#tolerated = tolerated;
  }

  /** When everything ran as the file says; undefined while it does not. */
  get runningSinceMs(): number | undefined {
    return this.#doneSinceMs;
  }

  /** How long the caller may sleep although nothing changes. */
  get patienceMs(): number {
    return this.#trouble || this.#doneSinceMs !== undefined ? 300 : 5_000;
  }

  look(stack: Stack, nowMs: number): Verdict {
    const reason = stack.status?.conditions?.find(
      (one) => one.type === 'Progressing' && one.status === 'False',
    )?.reason;
    if (reason !== undefined && !this.#tolerated.includes(reason)) {
      const isSame = this.#trouble?.reason === reason;
      this.#trouble = { reason, sinceMs: isSame ? (this.#trouble?.sinceMs ?? nowMs) : nowMs, seenMs: nowMs };
    } else if (this.#trouble && nowMs - this.#trouble.seenMs > relapseMs) {
      this.#trouble = undefined;
    }
    const troubleMs = this.#trouble ? nowMs - this.#trouble.sinceMs : 0;
    const verdict = deployVerdict({
      stack,
      generation: this.#generation,
      troubleMs,
      tolerated: this.#tolerated,
    });
    if (verdict.type !== 'done') {
      this.#doneSinceMs = undefined;
      return verdict;
    }
    this.#doneSinceMs ??= nowMs;
    const waitMs = this.#trouble ? relapseMs : isProbed(stack) ? 0 : settleMs;
    return nowMs - this.#doneSinceMs >= waitMs
      ? verdict
      : { type: 'running', message: 'everything runs; seeing that it stays so' };
  }
}

/** Its instances are ready because a check of their own said so. */
function isProbed(stack: Stack): boolean {
  return Object.values(stack.spec.services).every((service) => isChecked(service) || service.instances === 0);
}

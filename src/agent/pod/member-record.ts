import type { MountSpec } from '../../adapters/runtime/port.ts';
import type { Environment } from './environment.ts';
import type { MemberLocal } from './pod-local.ts';

export interface Failure {
  /** A waiting reason of Kubernetes. */
  readonly reason: string;
  /** The reason from the second time on. */
  readonly repeatedReason?: string;
  readonly message: string;
  /** A registry, say, which is spared. */
  readonly isRemote?: boolean;
}

export interface Problem {
  /** The first reason: failures of one kind are counted together. */
  readonly kind: string;
  readonly reason: string;
  readonly message: string;
  readonly failures: number;
  readonly retryAtMs: number;
}

const maxRemoteDelayMs = 300_000;
const maxLocalDelayMs = 10_000;

/** What the agent holds in memory about one container of a pod, by its name: all attempts of it. */
export class MemberRecord {
  image: MemberLocal['image'] = 'unknown';
  /** The pod asked for another one before. */
  isNewImage = false;
  /** Ends the pull that runs for it. */
  pull: AbortController | undefined;
  pullProgress: string | undefined;
  problem: Problem | undefined;
  crashes = 0;
  lastAttempt = -1;
  /** From the `prepare` step to the `create` step. */
  prepared: { readonly environment: Environment; readonly mounts: readonly MountSpec[] } | undefined;

  /** Another image is got at once, whatever became of the one before. */
  wantNewImage(): void {
    this.giveUpPull();
    this.isNewImage = true;
    this.problem = undefined;
  }

  giveUpPull(): void {
    this.pull?.abort();
    this.pull = undefined;
    this.image = 'unknown';
  }

  /** Something failed: the next try comes later each time. What somebody puts right is not to be waited for long. */
  fail(failure: Failure, nowMs: number): void {
    const failures = this.problem?.kind === failure.reason ? this.problem.failures + 1 : 1;
    const maxMs = failure.isRemote ? maxRemoteDelayMs : maxLocalDelayMs;
    const delayMs = Math.min(maxMs, 1_000 * 2 ** Math.min(failures - 1, 20));
    const reason = failures > 1 ? (failure.repeatedReason ?? failure.reason) : failure.reason;
    this.problem = { kind: failure.reason, reason, message: failure.message, failures, retryAtMs: nowMs + delayMs };
  }

  get local(): MemberLocal {
    return {
      image: this.image,
      crashes: this.crashes,
      lastAttempt: this.lastAttempt,
      ...(this.isNewImage ? { isNewImage: true } : {}),
      ...(this.problem ? { problem: this.problem } : {}),
    };
  }
}

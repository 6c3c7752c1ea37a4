import type { Clock } from '../../lib/clock.ts';
import type { Pod } from '../../resources/kinds.ts';
import { type MayStop, mayStepAside, mayStop } from './withdrawal.ts';

export interface WithdrawalsOptions {
  /** Whether a server is connected has changed: plan again. */
  readonly onChange: () => void;
  readonly clock: Clock;
}

/** Since when the pods of this node are to go, and whether anybody can say that they may. */
export interface Withdrawals {
  mayStop(pod: Pod): MayStop;
  /** Of a pod that stays: it has said since `sinceMs` that it is not ready. */
  mayStepAside(pod: Pod, sinceMs: number, isBroken: boolean): MayStop;
  /** Some server is connected, or none. */
  setConnected(isConnected: boolean): void;
}

/** Remembered pods are forgotten beyond this: those that went longest ago first. */
const maxRemembered = 4_096;

export function createWithdrawals({ clock, onChange }: WithdrawalsOptions): Withdrawals {
  const deletedMs = new Map<string, number>();
  let isServerConnected = false;
  let disconnectedMs = clock.monotonicMs();

  return {
    mayStop(pod) {
      if (pod.metadata.deletionTimestamp === undefined) return true;
      const nowMs = clock.monotonicMs();
      const uid = pod.metadata.uid ?? '';
      const sinceMs = deletedMs.get(uid) ?? nowMs;
      if (!deletedMs.has(uid)) deletedMs.set(uid, sinceMs);
      const [oldest] = deletedMs.keys();
      if (deletedMs.size > maxRemembered && oldest !== undefined) deletedMs.delete(oldest);
      return mayStop(pod, { isServerConnected, deletedMs: sinceMs, disconnectedMs }, nowMs);
    },
    mayStepAside(pod, sinceMs, isBroken) {
      return mayStepAside(pod, { isServerConnected, disconnectedMs, sinceMs, isBroken }, clock.monotonicMs());
    },
    setConnected(isConnected) {
      if (isConnected === isServerConnected) return;
      isServerConnected = isConnected;
      if (!isConnected) disconnectedMs = clock.monotonicMs();
      onChange();
    },
  };
}

import type { LifecycleHandler } from 'kubernetes-types/core/v1.js';
import type { ContainerRuntime } from '../../adapters/runtime/port.ts';
import type { Clock } from '../../lib/clock.ts';
import type { ProbeResult, ProbeTarget } from './prober.ts';
import { runProbe } from './prober.ts';

/** Runs a postStart or preStop handler to its end, or until `timeoutMs`. Never throws: what cannot be run has failed. */
export async function runHook(
  handler: LifecycleHandler,
  target: ProbeTarget,
  { runtime, clock }: { readonly runtime: ContainerRuntime; readonly clock: Clock },
  timeoutMs: number,
): Promise<ProbeResult> {
  if (handler.sleep) {
    await clock.sleep(Math.min(timeoutMs, handler.sleep.seconds * 1_000));
    return { isSuccess: true, message: '' };
  }
  const { exec, httpGet } = handler;
  // A tcpSocket handler does nothing, as in Kubernetes.
  if (!exec && !httpGet) return { isSuccess: true, message: '' };
  const asProbe = { timeoutSeconds: timeoutMs / 1_000, ...(exec ? { exec } : {}), ...(httpGet ? { httpGet } : {}) };
  return runProbe(asProbe, target, runtime);
}

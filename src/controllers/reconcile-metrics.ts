import type { Counter, Histogram, Metrics } from '../lib/metrics.ts';

export interface ReconcileMetrics {
  /** Labels: controller, result (`ok` or `error`). */
  readonly total: Counter;
  /** Label: controller. */
  readonly seconds: Histogram;
}

// A server that becomes leader again starts its controllers again on the same registry, where a name is registered once.
const made = new WeakMap<Metrics, ReconcileMetrics>();

export function reconcileMetrics(metrics: Metrics): ReconcileMetrics {
  const known = made.get(metrics);
  if (known) return known;
  const fresh = {
    total: metrics.counter('flotilla_reconcile_total', 'Reconciles by controller and result.'),
    seconds: metrics.histogram('flotilla_reconcile_seconds', 'Duration of reconciles by controller.'),
  };
  made.set(metrics, fresh);
  return fresh;
}

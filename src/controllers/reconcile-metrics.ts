import type { Counter, Gauge, Histogram, Metrics } from '../lib/metrics.ts';

export interface ReconcileMetrics {
  /** Labels: controller, result (`ok` or `error`). */
  readonly total: Counter;
  /** Label: controller. */
  readonly seconds: Histogram;
  /** Labels: grid, namespace, secret. */
  readonly certificateExpiry: Gauge;
  /** Since a pod was ready in the slices of its services until all nodes followed. */
  readonly routed: Histogram;
  /** Since a pod was seen to go in its slices until all nodes followed. */
  readonly withdrawn: Histogram;
}

// A server that becomes leader again starts its controllers again on the same registry, where a name is registered once.
const made = new WeakMap<Metrics, ReconcileMetrics>();

export function reconcileMetrics(metrics: Metrics): ReconcileMetrics {
  const known = made.get(metrics);
  if (known) return known;
  const fresh = {
    total: metrics.counter('flotilla_reconcile_total', 'Reconciles by controller and result.'),
    seconds: metrics.histogram('flotilla_reconcile_seconds', 'Duration of reconciles by controller.'),
    certificateExpiry: metrics.gauge(
      'flotilla_certificate_not_after_seconds',
      'When the certificate in a Secret ends, seconds since 1970; told by the leader.',
    ),
    routed: metrics.histogram('flotilla_pod_routed_seconds', 'From a ready endpoint until all nodes follow.'),
    withdrawn: metrics.histogram('flotilla_pod_withdrawn_seconds', 'From a withdrawn endpoint until all nodes follow.'),
  };
  made.set(metrics, fresh);
  return fresh;
}

import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Metrics } from './metrics.ts';

/** Publishes how late the event loop was since the last scrape: at its worst, and as the 99th percentile. */
export function startEventLoopLag(metrics: Metrics): { stop(): void } {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  // Before the other one, which begins anew.
  metrics.gauge(
    'flotilla_event_loop_lag_p99_seconds',
    '99th percentile of the event loop delay since the last scrape.',
    () => delay.percentile(99) / 1e9,
  );
  metrics.gauge('flotilla_event_loop_lag_seconds', 'Worst event loop delay since the last scrape.', () => {
    const worst = delay.max / 1e9;
    delay.reset();
    return worst;
  });
  return { stop: () => void delay.disable() };
}

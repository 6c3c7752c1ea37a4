import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Metrics } from './metrics.ts';

/** Publishes `flotilla_event_loop_lag_seconds`: the worst delay of the event loop since the last scrape. */
export function startEventLoopLag(metrics: Metrics): { stop(): void } {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  metrics.gauge('flotilla_event_loop_lag_seconds', 'Worst event loop delay since the last scrape.', () => {
    const worst = delay.max / 1e9;
    delay.reset();
    return worst;
  });
  return { stop: () => void delay.disable() };
}

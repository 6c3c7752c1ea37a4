import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startEventLoopLag } from './event-loop-lag.ts';
import { Metrics } from './metrics.ts';

test('counters, gauges and histograms in the text form of Prometheus', () => {
  const metrics = new Metrics();
  const requests = metrics.counter('flotilla_requests_total', 'Requests.');
  requests.add({ verb: 'get' });
  requests.add({ verb: 'get' }, 2);
  requests.add({ verb: 'a "quoted"\nword' });
  metrics.gauge('flotilla_leader', 'Leads.', () => 1);
  const seconds = metrics.histogram('flotilla_commit_seconds', 'Commits.', [0.1, 1]);
  for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe(value);
  assert.deepEqual(metrics.render().trimEnd().split('\n'), [
    '# HELP flotilla_requests_total Requests.',
    '# TYPE flotilla_requests_total counter',
    'flotilla_requests_total{verb="get"} 3',
    'flotilla_requests_total{verb="a \\"quoted\\"\\nword"} 1',
    '# HELP flotilla_leader Leads.',
    '# TYPE flotilla_leader gauge',
    'flotilla_leader 1',
    '# HELP flotilla_commit_seconds Commits.',
    '# TYPE flotilla_commit_seconds histogram',
    'flotilla_commit_seconds_bucket{le="0.1"} 2',
    'flotilla_commit_seconds_bucket{le="1"} 3',
    'flotilla_commit_seconds_bucket{le="+Inf"} 4',
    'flotilla_commit_seconds_sum 7.65',
    'flotilla_commit_seconds_count 4',
  ]);
  assert.throws(() => metrics.counter('flotilla_leader', 'Again.'), /registered twice/);
});

test('the lag of the event loop is one of them', () => {
  const metrics = new Metrics();
  const lag = startEventLoopLag(metrics);
  assert.match(metrics.render(), /^flotilla_event_loop_lag_seconds \d/m);
  lag.stop();
});

import type { IngressState, IngressStats } from '../../adapters/ingress/port.ts';
import { type Labels, Metrics } from '../../lib/metrics.ts';

/** Prometheus text about the proxy of a host; `stats` undefined: it does not answer. */
export function renderIngressMetrics(
  stats: IngressStats | undefined,
  state: IngressState,
  doesFollow: boolean,
): string {
  const metrics = new Metrics();
  const tell = (name: string, help: string, values: Iterable<readonly [number, Labels?]>) => {
    const gauge = metrics.gauge(`flotilla_ingress_${name}`, help);
    for (const [value, labels] of values) gauge.set(value, labels);
  };
  const sum = (name: string, help: string, values: Iterable<readonly [number, Labels?]>) => {
    const counter = metrics.counter(`flotilla_ingress_${name}`, help);
    for (const [value, labels] of values) counter.add(labels, value);
  };
  tell('up', '1: the proxy answers.', [[stats ? 1 : 0]]);
  tell('follows', '1: it does what the API says.', [[doesFollow ? 1 : 0]]);
  tell('routes', 'Hosts with their paths.', [[state.routes.size]]);
  tell('certificates', 'That are shown.', [[state.certificates.size]]);
  if (!stats) return metrics.render();
  tell('connections', 'Open connections of clients.', [[stats.connections]]);
  tell('old_workers', 'Workers that only finish their connections.', [[stats.oldWorkers]]);
  sum('reloads_total', 'Changes that needed a new worker.', [[stats.reloads]]);
  const hosts = [...stats.hosts];
  sum(
    'host_requests_total',
    'Requests by host.',
    hosts.map(([host, one]) => [one.requests, { host }]),
  );
  sum(
    'host_errors_total',
    '5xx answers by host.',
    hosts.map(([host, one]) => [one.errors, { host }]),
  );
  const backends = [...stats.backends];
  const each = (of: (one: (typeof backends)[number][1]) => number) =>
    backends.map(([backend, one]) => [of(one), { backend }] as const);
  tell(
    'backend_sessions',
    'Open sessions by backend.',
    each((one) => one.sessions),
  );
  sum(
    'backend_requests_total',
    'Requests by backend.',
    each((one) => one.requests),
  );
  sum(
    'backend_errors_total',
    '5xx answers by backend, those for want of an instance too.',
    each((one) => one.errors),
  );
  sum(
    'backend_retries_total',
    'Connections tried with another instance.',
    each((one) => one.retries),
  );
  const seconds = { connect: each((one) => one.connectMs / 1_000), response: each((one) => one.responseMs / 1_000) };
  tell('backend_connect_seconds', 'Mean of the last 1,024 requests.', seconds.connect);
  tell('backend_response_seconds', 'Mean of the last 1,024 requests.', seconds.response);
  const up = (one: (typeof backends)[number][1]) =>
    [...one.endpoints.values()].filter(({ state: is }) => is === 'up').length;
  tell('backend_endpoints_up', 'Instances that get requests.', each(up));
  return metrics.render();
}

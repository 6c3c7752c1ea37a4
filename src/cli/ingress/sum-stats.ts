import type { BackendReport, HostReport, IngressReport } from '../../resources/ingress-report.ts';

/** Over all proxies that answer. */
export interface IngressSums {
  readonly hosts: readonly HostReport[];
  readonly backends: readonly BackendSums[];
  readonly proxies: readonly ProxySums[];
}

/** Means are weighed by requests. `up`: on the proxy that has the fewest. */
export interface BackendSums extends Omit<BackendReport, 'endpoints'> {
  readonly up: number;
}

export interface ProxySums {
  readonly node: string;
  readonly version: string;
  readonly connections: number;
  readonly reloads: number;
  readonly oldWorkers: number;
}

export function sumStats(reports: readonly IngressReport[]): IngressSums {
  const hosts = new Map<string, HostReport>();
  const backends = new Map<string, BackendSums>();
  const proxies: ProxySums[] = [];
  for (const { node, proxy } of reports) {
    if (!proxy) continue;
    const { version, connections, reloads, oldWorkers } = proxy;
    proxies.push({ node, version, connections, reloads, oldWorkers });
    for (const { host, requests, errors } of proxy.hosts) {
      const known = hosts.get(host) ?? { host, requests: 0, errors: 0 };
      hosts.set(host, { host, requests: known.requests + requests, errors: known.errors + errors });
    }
    for (const one of proxy.backends) backends.set(one.name, added(backends.get(one.name), one));
  }
  return {
    hosts: [...hosts.values()].sort((a, b) => b.requests - a.requests || (a.host < b.host ? -1 : 1)),
    backends: [...backends.values()].sort((a, b) => b.requests - a.requests || (a.name < b.name ? -1 : 1)),
    proxies,
  };
}

function added(known: BackendSums | undefined, one: BackendReport): BackendSums {
  const up = one.endpoints.filter(({ state }) => state === 'up').length;
  const { endpoints: _, ...counts } = one;
  if (!known) return { ...counts, up };
  const requests = known.requests + one.requests;
  const mean = (a: number, b: number) => {
    return requests === 0 ? Math.max(a, b) : (a * known.requests + b * one.requests) / requests;
  };
  return {
    name: known.name,
    requests,
    sessions: known.sessions + one.sessions,
    errors: known.errors + one.errors,
    retries: known.retries + one.retries,
    connectMs: mean(known.connectMs, one.connectMs),
    responseMs: mean(known.responseMs, one.responseMs),
    up: Math.min(known.up, up),
  };
}

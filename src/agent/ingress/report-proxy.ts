import { X509Certificate } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { IngressCertificate, IngressState, IngressStats } from '../../adapters/ingress/port.ts';
import type {
  BackendReport,
  CertificateReport,
  EndpointReport,
  ProxyReport,
  RouteReport,
} from '../../resources/ingress-report.ts';

/** What certificates say of themselves, read once each: a thousand take a tenth of a second. */
export type ReadCertificates = WeakMap<IngressCertificate, Pick<CertificateReport, 'issuer' | 'notAfter'> | 'none'>;

const readAtOnce = 16;

/** What a proxy serves and has counted, for people. */
export async function reportProxy(
  stats: IngressStats,
  state: IngressState,
  known: ReadCertificates,
): Promise<ProxyReport> {
  const certificates: CertificateReport[] = [];
  let left = readAtOnce;
  for (const [secret, certificate] of state.certificates) {
    if (!known.has(certificate) && left-- === 0) {
      await nextTurn();
      left = readAtOnce;
    }
    const said = known.get(certificate) ?? readCertificate(certificate);
    known.set(certificate, said);
    // What is no certificate is among the problems.
    if (said !== 'none') certificates.push({ secret, hosts: certificate.hosts, ...said });
  }
  const { version, connections, reloads, oldWorkers } = stats;
  return {
    ...{ version, connections, reloads, oldWorkers },
    routes: routesOf(state),
    hosts: [...stats.hosts].map(([host, { requests, errors }]) => ({ host, requests, errors })).sort(by('host')),
    backends: [...state.backends.keys()].sort().map((name) => backendOf(name, stats, state)),
    certificates,
  };
}

function routesOf({ routes, listeners }: IngressState): RouteReport[] {
  const found: RouteReport[] = [];
  for (const [key, { host, path, backend }] of routes) {
    found.push({ ...(host === undefined ? {} : { host }), path, backend, ingress: ingressOf(key) });
  }
  for (const [key, { port, serverNames, backend }] of listeners) {
    for (const host of serverNames ?? [undefined]) {
      found.push({ ...(host === undefined ? {} : { host }), port, backend, ingress: ingressOf(key) });
    }
  }
  const text = ({ host = '~', path = '', port = 0 }: RouteReport) => `${host} ${path} ${port}`;
  return found.sort((a, b) => (text(a) < text(b) ? -1 : 1));
}

function ingressOf(key: string): string {
  return key.slice(0, key.lastIndexOf('#'));
}

function backendOf(name: string, stats: IngressStats, state: IngressState): BackendReport {
  const { endpoints: counted, ...counts } = stats.backends.get(name) ?? {
    ...{ sessions: 0, requests: 0, errors: 0, retries: 0, connectMs: 0, responseMs: 0 },
    endpoints: new Map<string, never>(),
  };
  const pods = new Map(state.backends.get(name)?.endpoints.map((one) => [`${one.address}:${one.port}`, one.pod]));
  const endpoints: EndpointReport[] = [...new Set([...pods.keys(), ...counted.keys()])].sort().map((address) => {
    const pod = pods.get(address);
    const known = counted.get(address) ?? { state: 'down' as const, sessions: 0, requests: 0 };
    return { address, ...(pod === undefined ? {} : { pod }), ...known };
  });
  return { name, ...counts, endpoints };
}

function readCertificate({ chain }: IngressCertificate): Pick<CertificateReport, 'issuer' | 'notAfter'> | 'none' {
  try {
    const { issuer, validTo } = new X509Certificate(chain);
    const name = /^(?:CN|O)=(.*)$/m.exec(issuer)?.[1] ?? issuer;
    return { issuer: name, notAfter: new Date(validTo).toISOString() };
  } catch {
    return 'none';
  }
}

function by<K extends string>(key: K): (a: Readonly<Record<K, string>>, b: Readonly<Record<K, string>>) => number {
  return (a, b) => (a[key] < b[key] ? -1 : 1);
}

import { nameCovers, secretNameOf } from '../../resources/certificates.ts';
import { humanDuration } from '../../resources/define-kind.ts';
import { ingressConditions } from '../../resources/ingress-facts.ts';
import { ingressOptionsOf } from '../../resources/ingress-options.ts';
import type { IngressReport, RouteReport } from '../../resources/ingress-report.ts';
import type { Certificate, Ingress } from '../../resources/kinds.ts';

/** One host and path, or one TCP port, of an Ingress object. */
export interface IngressRow {
  /** `*`: every host that no other has. */
  readonly host: string;
  /** `/shop`, `:5432` for plain TCP. */
  readonly path: string;
  /** `<namespace>/<service>:<port>` */
  readonly service: string;
  readonly tls: string;
  readonly addresses: string;
  /** `up: 2 instances`, or what is the matter. */
  readonly state: string;
  /** `<namespace>/<name>` */
  readonly ingress: string;
}

export interface IngressFacts {
  readonly ingresses: readonly Ingress[];
  readonly certificates: readonly Certificate[];
  readonly reports: readonly IngressReport[];
  readonly nowMs: number;
}

type Wanted = Pick<IngressRow, 'host' | 'path' | 'service'> & { readonly isPassedOn: boolean };

/** What people see of the way in; objects of other classes are not shown, but for those that a proxy serves. */
export function ingressRows(facts: IngressFacts): readonly IngressRow[] {
  const rows = facts.ingresses.flatMap((ingress) => {
    const { namespace = '', name } = ingress.metadata;
    const key = `${namespace}/${name}`;
    const addresses = (ingress.status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }) => ip ?? hostname ?? []);
    return wantedBy(ingress).map((wanted) => ({
      ...{ host: wanted.host, path: wanted.path, service: wanted.service, ingress: key },
      tls: wanted.isPassedOn ? passedOnText(wanted) : tlsText(facts, namespace, wanted.host),
      addresses: shortList(addresses),
      state: stateOf(facts, ingress, key, wanted),
    }));
  });
  const text = (row: IngressRow) => `${row.host} ${row.path} ${row.ingress}`;
  return rows.sort((a, b) => (text(a) < text(b) ? -1 : 1));
}

function wantedBy(ingress: Ingress): Wanted[] {
  const { namespace = '' } = ingress.metadata;
  const { rules = [], defaultBackend } = ingress.spec;
  const { tcpPort, tlsPassthrough: isPassedOn = false } = ingressOptionsOf(ingress);
  type Backend = NonNullable<typeof defaultBackend>;
  const nameOf = ({ service }: Backend) => {
    return service ? `${namespace}/${service.name}:${service.port?.name ?? service.port?.number}` : '-';
  };
  if (tcpPort !== undefined) {
    const service = defaultBackend ? nameOf(defaultBackend) : '-';
    return [{ host: '*', path: `:${tcpPort}`, service, isPassedOn: true }];
  }
  const found: Wanted[] = rules.flatMap(({ host = '*', http }) =>
    (http?.paths ?? []).map(({ path = '/', backend }) => ({ host, path, service: nameOf(backend), isPassedOn })),
  );
  if (!defaultBackend) return found;
  const hosts = rules.flatMap(({ host }) => host ?? []);
  const rest = [...new Set(hosts.length > 0 ? hosts : ['*'])].filter(
    (host) => !found.some((one) => one.host === host && one.path === '/'),
  );
  return [...found, ...rest.map((host) => ({ host, path: '/', service: nameOf(defaultBackend), isPassedOn }))];
}

function passedOnText({ path }: Wanted): string {
  return path.startsWith(':') ? '-' : 'passed on';
}

/** As the proxies show it; where they do not yet, how far the certificate is. */
function tlsText({ reports, certificates, nowMs }: IngressFacts, namespace: string, host: string): string {
  const shown = reports.flatMap(({ proxy }) => proxy?.certificates ?? []).find(({ hosts }) => hosts.includes(host));
  if (shown) {
    const leftMs = Date.parse(shown.notAfter) - nowMs;
    return `${shown.issuer}, ${leftMs > 0 ? `expires in ${humanDuration(leftMs)}` : 'EXPIRED'}`;
  }
  const made = certificates.find(
    ({ metadata, spec }) => metadata.namespace === namespace && spec.hosts.some((name) => nameCovers(name, host)),
  );
  if (!made) return '-';
  const why = made.status?.conditions?.find(({ type, status }) => type === 'Issuing' && status === 'True')?.message;
  return `none yet: ${why ?? `Secret ${secretNameOf(made)} is waited for`}`;
}

function stateOf({ reports }: IngressFacts, ingress: Ingress, key: string, wanted: Wanted): string {
  if (reports.length === 0) return 'no node lets traffic in';
  const served = ingress.status?.conditions?.find(({ type }) => type === ingressConditions.served);
  const said = reports.flatMap(({ problems }) => problems.filter((one) => one.ingress === key));
  const problem = served?.status === 'False' ? served.message : said[0]?.message;
  const answering = reports.filter(({ proxy }) => proxy !== undefined);
  if (answering.length === 0) return `unknown: ${reports[0]?.node}: ${reports[0]?.problem}`;
  const serving = answering.flatMap(({ proxy }) => {
    const route = proxy?.routes.find((one) => one.ingress === key && isSame(one, wanted));
    const backend = route && proxy?.backends.find(({ name }) => name === route.backend);
    return backend ? [backend] : [];
  });
  if (serving.length === 0) return `not served: ${problem ?? 'no proxy has it yet'}`;
  // The proxy that has the fewest says what a client may meet.
  const counts = serving.map(({ endpoints }) => endpoints.filter(({ state }) => state === 'up').length);
  const up = Math.min(...counts);
  if (problem !== undefined) return `up: ${instances(up)}; ${problem}`;
  return up === 0 ? 'no instance is ready' : `up: ${instances(up)}`;
}

export function isSame(route: RouteReport, { host, path }: Pick<IngressRow, 'host' | 'path'>): boolean {
  if (route.port !== undefined && route.path === undefined) {
    return route.host === undefined ? path === `:${route.port}` : route.host === host;
  }
  return (route.host ?? '*') === host && route.path === path;
}

function instances(count: number): string {
  return count === 1 ? '1 instance' : `${count} instances`;
}

function shortList(names: readonly string[]): string {
  if (names.length === 0) return '-';
  return names.length > 3 ? `${names.slice(0, 2).join(',')},… (${names.length})` : names.join(',');
}

import type { HTTPIngressPath, IngressBackend } from 'kubernetes-types/networking/v1.js';
import { anyHost } from '../resources/ingress-facts.ts';
import { optionPrefix } from '../resources/ingress-options.ts';
import { apiVersionOf } from '../resources/kind.ts';
import { ownClass } from '../resources/kinds/ingress-class.ts';
import { type Ingress, ingresses, type Stack } from '../resources/kinds.ts';
import type { StackIngress, StackService } from '../resources/stack-types.ts';
import { hashOf } from './hash-of.ts';
import { objectName } from './object-names.ts';

/** Ports on which nobody speaks HTTP: they get no name by themselves. */
const otherProtocols: ReadonlySet<number> = new Set([
  ...[21, 22, 23, 25, 53, 110, 143, 389, 465, 587, 636, 993, 995, 1433, 1521, 1883, 2181, 3306, 4222, 5432, 5672, 6379],
  ...[8883, 9042, 9092, 11_211, 26_379, 27_017, 50_000],
]);

/** What is let in alike: one object. */
interface Group {
  /** Annotations behind the prefix, in the order of their names. */
  readonly options: Readonly<Record<string, string>>;
  readonly secretName: string | undefined;
  /** Whoever can makes a certificate for its hosts, or the option `tls` says who. */
  readonly wantsTls: boolean;
  readonly entries: { readonly host: string; readonly entry: StackIngress; readonly isAutomatic: boolean }[];
}

/**
 * The Ingress objects of one service: what its key `ingress` says, and, below `baseDomain`, the name that it gets by itself.
 * That name leads wherever the service's own hosts lead, with the same options: nothing is open by it that is not open anyway.
 */
export function ingressObjects(
  stack: Stack,
  name: string,
  service: StackService,
  labels: Record<string, string>,
  baseDomain: string | undefined,
): Ingress[] {
  const said = service.ingress ?? [];
  const httpPort = httpPortOf(service);
  const groups = new Map<string, Group>();
  const add = (host: string, entry: StackIngress, isAutomatic: boolean) => {
    const group = groupOf(entry);
    const key = JSON.stringify([group.options, group.secretName ?? null, group.wantsTls]);
    const known = groups.get(key);
    if (known) known.entries.push({ host, entry, isAutomatic });
    else groups.set(key, { ...group, entries: [{ host, entry, isAutomatic }] });
  };
  // First, so that its object keeps its name whatever the file says besides.
  const runsOn = (service.restart ?? 'always') === 'always' || said.length > 0;
  if (baseDomain !== undefined && service.automaticName !== false && runsOn) {
    const host = `${objectName(name)}.${objectName(stack.metadata.name)}.${baseDomain}`;
    // Said by name, it is as it is said.
    const isSaid = said.some((entry) => entry.host === host);
    for (const entry of isSaid ? [] : automaticEntries(said, httpPort)) add(host, entry, true);
  }
  for (const entry of said) {
    if (entry.listen !== undefined || entry.host !== undefined) add(entry.host ?? '', entry, false);
  }
  const names = new Set<string>();
  const [first] = [...groups.values()].filter((group) => !isTcp(group));
  return [...groups.values()].map((group) => {
    const own = group === first ? objectName(name) : `${objectName(name)}-${suffixOf(group)}`;
    const unique = names.has(own) ? `${own}-${shortHashOf(group)}` : own;
    names.add(unique);
    return objectOf(unique, group, { labels, service: objectName(name), httpPort });
  });
}

/** Ports that outside traffic comes to: the Service object has them, too. */
export function ingressPorts(service: StackService): readonly number[] {
  return (service.ingress ?? []).flatMap(({ port }) => port ?? []);
}

/** The first that is likely to be one: of `expose`, then of `ports`. */
export function httpPortOf(service: StackService): number | undefined {
  const ports = [
    ...(service.expose ?? []),
    ...(service.ports ?? []).map(({ containerPort: port, protocol }) => ({ port, protocol })),
  ];
  return ports.find(({ port, protocol }) => protocol === 'TCP' && !otherProtocols.has(port))?.port;
}

/** Those without a host are about the name alone; without any, those with hosts hold for it too, the first of each path. */
function automaticEntries(said: readonly StackIngress[], httpPort: number | undefined): StackIngress[] {
  const http = said.filter((one) => !isPassedOn(one));
  const own = http.filter(({ host }) => host === undefined);
  const entries = own.length > 0 ? own : http;
  if (entries.length === 0) {
    // What is passed on is no HTTP, or is not to be seen.
    const isPassed = said.some(({ port = httpPort }) => port === httpPort);
    return httpPort === undefined || isPassed ? [] : [{ port: httpPort }];
  }
  const paths = new Set<string>();
  return entries.flatMap((entry) => {
    const key = `${entry.pathType ?? 'Prefix'} ${entry.path ?? '/'}`;
    if (paths.has(key)) return [];
    paths.add(key);
    if (own.length > 0) return [entry];
    // Who signs for a name of the grid is found out by the name.
    const { tls, tlsSecret: _secret, options = {}, ...rest } = entry;
    const { 'ssl-redirect': _redirect, hsts: _hsts, ...others } = options;
    return [{ ...rest, options: others, ...(tls === 'none' ? { tls } : {}) }];
  });
}

/** Bytes, not requests. */
function isPassedOn({ listen, options }: StackIngress): boolean {
  return listen !== undefined || options?.['tls-passthrough'] === 'true';
}

function groupOf(entry: StackIngress): Omit<Group, 'entries'> {
  const { tls, tlsSecret, listen } = entry;
  const isCertified = tls === 'acme' || tlsSecret !== undefined;
  const options = {
    ...entry.options,
    ...(tls === undefined ? {} : { tls }),
    ...(listen === undefined ? {} : { 'tcp-port': String(listen) }),
    // Who names who signs means HTTPS.
    ...(isCertified && entry.options?.['ssl-redirect'] === undefined ? { 'ssl-redirect': 'true' } : {}),
  };
  const sorted = Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1));
  const wantsTls = !isPassedOn(entry) && tls !== 'none';
  return { options: Object.fromEntries(sorted), secretName: tlsSecret, wantsTls };
}

interface Place {
  readonly labels: Record<string, string>;
  readonly service: string;
  readonly httpPort: number | undefined;
}

function objectOf(name: string, group: Group, { labels, service, httpPort }: Place): Ingress {
  const backendOf = ({ port = httpPort }: StackIngress): IngressBackend => ({
    service: { name: service, port: { number: port ?? 0 } },
  });
  const annotations = Object.fromEntries(
    Object.entries(group.options).map(([option, value]) => [`${optionPrefix}${option}`, value]),
  );
  const identity = { apiVersion: apiVersionOf(ingresses), kind: ingresses.kind };
  const metadata = { name, labels: { ...labels }, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) };
  const [first] = group.entries;
  if (first && isTcp(group)) {
    return { ...identity, metadata, spec: { ingressClassName: ownClass, defaultBackend: backendOf(first.entry) } };
  }
  const paths = new Map<string, HTTPIngressPath[]>();
  for (const { host, entry } of group.entries) {
    const list = paths.get(host) ?? [];
    list.push({ path: entry.path ?? '/', pathType: entry.pathType ?? 'Prefix', backend: backendOf(entry) });
    paths.set(host, list);
  }
  const hosts = [...paths.keys()].filter((host) => host !== anyHost);
  const { secretName } = group;
  return {
    ...identity,
    metadata,
    spec: {
      ingressClassName: ownClass,
      ...(group.wantsTls && hosts.length > 0 ? { tls: [{ hosts, ...(secretName ? { secretName } : {}) }] } : {}),
      rules: [...paths].map(([host, list]) => ({ ...(host === anyHost ? {} : { host }), http: { paths: list } })),
    },
  };
}

/** What tells it from the others of its service, as long as the file says the same. */
function suffixOf(group: Group): string {
  if (isTcp(group)) return `tcp-${group.options['tcp-port']}`;
  const host = group.entries.find(({ isAutomatic }) => !isAutomatic)?.host;
  if (host === undefined) return 'automatic';
  return objectName(host.replace('*', host === anyHost ? 'any' : 'wildcard')) || shortHashOf(group);
}

function isTcp({ options }: Group): boolean {
  return options['tcp-port'] !== undefined;
}

function shortHashOf({ options, secretName }: Group): string {
  return hashOf([options, secretName ?? null]).slice(0, 8);
}

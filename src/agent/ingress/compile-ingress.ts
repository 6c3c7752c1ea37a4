import { createHash } from 'node:crypto';
import type { BackendOptions, IngressRoute, RouteOptions, TcpListener } from '../../adapters/ingress/port.ts';
import { type TargetPort, targetOf, type WantedPort } from '../../resources/ingress-backend.ts';
import type { Ingress, Secret, Service } from '../../resources/kinds.ts';
import { routePlace, routeText } from './places.ts';
import type { IngressWishes } from './wishes.ts';

/** What an Ingress object refers to, in its own namespace. */
export interface Surroundings {
  readonly service: (name: string) => Service | undefined;
  /** Of type `flotilla.dev/basic-auth`. */
  readonly users: (secretName: string) => Secret | undefined;
  readonly httpsPort: number;
}

/** A backend that something needs; who is behind it is filled in later. */
export interface WantedBackend {
  readonly name: string;
  readonly mode: 'http' | 'tcp';
  /** `<namespace>/<name>` of its Service object. */
  readonly service: string;
  /** Absent: there is nothing to connect to. */
  readonly target?: TargetPort;
  readonly options: BackendOptions;
}

/** One Ingress object by itself; what others claim too is settled afterwards. */
export interface CompiledIngress {
  /** In the order of the object: the n-th is `<key>#<n>`. */
  readonly routes: readonly IngressRoute[];
  readonly listeners: readonly TcpListener[];
  readonly backends: readonly WantedBackend[];
  /** Exact and wildcard hosts of its HTTPS routes, and the Secrets that are to be shown for them. */
  readonly hosts: readonly string[];
  readonly tls: readonly { readonly hosts: readonly string[]; readonly secretName: string }[];
  /** Names in its namespace that it depends on. */
  readonly services: readonly string[];
  readonly secrets: readonly string[];
  readonly problems: readonly string[];
}

type Backend = NonNullable<Ingress['spec']['defaultBackend']>;

export function compileIngress(ingress: Ingress, wishes: IngressWishes, around: Surroundings): CompiledIngress {
  const namespace = ingress.metadata.namespace ?? '';
  const backends = new Map<string, WantedBackend>();
  const services = new Set<string>();
  const secrets = new Set<string>();
  const problems = new Set<string>();
  const mode = wishes.tcpPort !== undefined || wishes.passesTls ? 'tcp' : 'http';

  /** The name of the backend; a service that is not there answers 503, as one without instances. */
  const need = ({ service: named }: Backend): string | undefined => {
    if (!named) return void problems.add('a backend that names no Service object is not served');
    services.add(named.name);
    const wanted: WantedPort = named.port ?? {};
    const service = around.service(named.name);
    const target = service ? targetOf(service, wanted) : { problem: `there is no Service ${namespace}/${named.name}` };
    if ('problem' in target) problems.add(target.problem);
    const name = backendName(`${namespace}/${named.name}:${wanted.name ?? wanted.number}`, mode, wishes);
    const secret = service?.metadata.uid;
    backends.set(name, {
      ...{ name, mode, service: `${namespace}/${named.name}` },
      ...('problem' in target ? {} : { target }),
      options: {
        ...wishes.backend,
        // What nobody outside knows, and all hosts do.
        ...(wishes.cookieName === undefined || secret === undefined
          ? {}
          : { cookie: { name: wishes.cookieName, secret } }),
      },
    });
    return name;
  };

  const { rules = [], defaultBackend, tls = [] } = ingress.spec;
  const basicAuth = basicAuthOf(namespace, wishes, around, problems);
  if (wishes.basicAuth) secrets.add(wishes.basicAuth.secretName);
  const options: RouteOptions = { ...wishes.route, ...(basicAuth ? { basicAuth } : {}) };
  const routes: IngressRoute[] = [];
  const listeners: TcpListener[] = [];
  const { allow, deny } = wishes.route;
  const guard = { ...(allow ? { allow } : {}), ...(deny ? { deny } : {}) };
  if (wishes.tcpPort !== undefined) {
    const backend = defaultBackend && need(defaultBackend);
    if (backend !== undefined) listeners.push({ port: wishes.tcpPort, backend, ...guard });
  } else if (wishes.passesTls) {
    for (const { host, http } of rules) {
      const [first] = http?.paths ?? [];
      const to = first?.backend ?? defaultBackend;
      const backend = to && need(to);
      if (backend === undefined || host === undefined) continue;
      listeners.push({ port: around.httpsPort, serverNames: [host.toLowerCase()], backend, ...guard });
    }
  } else {
    for (const { host, http } of rules) {
      const named = host ? { host: host.toLowerCase() } : {};
      for (const { path, pathType, backend: to } of http?.paths ?? []) {
        const backend = need(to);
        if (backend === undefined) continue;
        const type = pathType === 'Exact' ? 'Exact' : 'Prefix';
        routes.push({ ...named, path: path || '/', pathType: type, backend, options });
      }
      const hasRest = http?.paths?.some(({ path, pathType }) => (path || '/') === '/' && pathType !== 'Exact');
      const rest = host && defaultBackend && !hasRest ? need(defaultBackend) : undefined;
      if (rest !== undefined) routes.push({ ...named, path: '/', pathType: 'Prefix', backend: rest, options });
    }
    const hasAnyHost = routes.some((one) => one.host === undefined && one.path === '/' && one.pathType === 'Prefix');
    // With hosts the default backend is theirs; without any it is everybody's.
    const isForAll = defaultBackend && !hasAnyHost && !rules.some(({ host }) => host);
    const backend = isForAll ? need(defaultBackend) : undefined;
    if (backend !== undefined) routes.push({ path: '/', pathType: 'Prefix', backend, options });
  }
  const taken = new Set<string>();
  const kept = routes.filter((route) => {
    const place = routePlace(route);
    if (taken.has(place)) problems.add(`${routeText(route)} is there twice; the first one counts`);
    return !taken.has(place) && taken.add(place);
  });
  const hosts = mode === 'tcp' ? [] : [...new Set(routes.flatMap(({ host }) => host ?? []))];
  return {
    ...{ routes: kept, listeners, hosts, backends: [...backends.values()] },
    tls: tls.flatMap(({ hosts: named, secretName }) =>
      secretName ? { hosts: named?.length ? named.map((one) => one.toLowerCase()) : hosts, secretName } : [],
    ),
    ...{ services: [...services], secrets: [...secrets], problems: [...problems] },
  };
}

/** Nobody gets in while it is not known who may. */
function basicAuthOf(
  namespace: string,
  { basicAuth }: IngressWishes,
  around: Surroundings,
  problems: Set<string>,
): RouteOptions['basicAuth'] {
  if (!basicAuth) return undefined;
  const { secretName, realm } = basicAuth;
  const secret = around.users(secretName);
  const text = Buffer.from(secret?.data?.auth ?? '', 'base64').toString('utf8');
  const lines = text.split('\n').map((line) => line.trim());
  const users = lines.filter((line) => /^[^:\s]+:\S+$/.test(line));
  if (!secret) {
    problems.add(`there is no Secret ${namespace}/${secretName} of type flotilla.dev/basic-auth: nobody is let in`);
  } else if (users.length === 0) {
    problems.add(`Secret ${namespace}/${secretName} has no line "name:hash" under its key auth: nobody is let in`);
  }
  return { realm, users };
}

/** The same for all that want the same. */
function backendName(base: string, mode: 'http' | 'tcp', { backend, cookieName }: IngressWishes): string {
  const isPlain = mode === 'http' && cookieName === undefined && Object.keys(backend).length === 0;
  if (isPlain) return base;
  const entries = Object.entries(backend).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify([mode, cookieName ?? null, entries]);
  return `${base}~${createHash('sha256').update(text).digest('hex').slice(0, 8)}`;
}

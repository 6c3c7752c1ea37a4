// What a state asks of HAProxy, before any name of a section is chosen. Pure.
import { createHash } from 'node:crypto';
import type {
  IngressBackend,
  IngressCertificate,
  IngressRoute,
  IngressSettings,
  IngressState,
  TcpListener,
} from '../port.ts';
import { type CertificateFile, certificateFile } from './certificate.ts';
import { hasControl, isMapKey, Refused } from './quote.ts';
import { addressFile, backendForm, encodedPath, routeForm, type SectionForm } from './section.ts';

/** A backend as the routes of one kind of options use it. */
export interface WishedSection {
  /** Says all of it but the endpoints. */
  readonly key: string;
  readonly backend: IngressBackend;
  readonly form: SectionForm;
  /** Any spare section can be it. */
  readonly isPlain: boolean;
  /** Keys of routes and listeners. */
  readonly users: readonly string[];
}

export interface WishedRoute {
  readonly section: string;
  readonly redirectsToHttps: boolean;
  readonly hstsSeconds?: number;
}

export interface WishedListener {
  readonly key: string;
  readonly listener: TcpListener;
  readonly section: string;
}

export interface Wish {
  readonly settings: IngressSettings;
  /** By key. */
  readonly sections: ReadonlyMap<string, WishedSection>;
  /** Hosts that are known: a name, `*.<name>`, or `-` for all others. */
  readonly hosts: ReadonlySet<string>;
  /** By `<host><path>`. */
  readonly exact: ReadonlyMap<string, WishedRoute>;
  /** By `<host><path>/`: so the longest that fits ends at an element. */
  readonly prefix: ReadonlyMap<string, WishedRoute>;
  readonly challenges: ReadonlyMap<string, string>;
  readonly listeners: readonly WishedListener[];
  /** By file. */
  readonly certificates: ReadonlyMap<string, CertificateFile & { readonly key: string }>;
  /** Leaf, chain and key. */
  readonly defaultPem: string | undefined;
  readonly problems: ReadonlyMap<string, string>;
}

/** A route or listener together with its backend: what is kept of one that was in force. */
export interface Accepted {
  readonly routes: ReadonlyMap<string, { readonly route: IngressRoute; readonly backend: IngressBackend }>;
  readonly listeners: ReadonlyMap<string, { readonly listener: TcpListener; readonly backend: IngressBackend }>;
  readonly certificates: ReadonlyMap<string, IngressCertificate>;
}

export const nothingAccepted: Accepted = { routes: new Map(), listeners: new Map(), certificates: new Map() };

/** What HAProxy itself refused, by the key of a section, a listener or a certificate's file: why. */
export type Refusals = ReadonlyMap<string, string>;

export const anyHost = '-';

/** In place of what is refused stands its last good form, where there is one. */
export function readWish(
  state: IngressState,
  accepted: Accepted,
  refusals: Refusals,
): Wish & { readonly taken: Accepted } {
  const problems = new Map<string, string>();
  const sections = new Map<string, WishedSection & { readonly users: string[] }>();
  const taken = { routes: new Map(), listeners: new Map(), certificates: new Map() } satisfies Accepted;
  const hosts = new Set<string>();
  const exact = new Map<string, WishedRoute>();
  const prefix = new Map<string, WishedRoute>();

  /** Uses the first form that is not refused; undefined: none. */
  const first = <T>(key: string, forms: readonly T[], use: (form: T) => void): T | undefined => {
    for (const form of forms) {
      try {
        use(form);
        return form;
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        if (!problems.has(key)) problems.set(key, error.message);
      }
    }
    return undefined;
  };
  const endpointsNow = (backend: IngressBackend): IngressBackend => {
    const endpoints = state.backends.get(backend.name)?.endpoints ?? [];
    return { ...backend, endpoints };
  };
  const sectionFor = (user: string, backend: IngressBackend, more?: SectionForm): string => {
    const form = joined(cachedBackendForm(backend), more);
    const key = sectionKey(backend.name, form);
    const refusal = refusals.get(key);
    if (refusal !== undefined) throw new Refused(refusal);
    const found = sections.get(key);
    if (found) found.users.push(user);
    else sections.set(key, { key, backend, form, isPlain: isPlain(backend, form), users: [user] });
    return key;
  };

  /** A place whose rules cannot be kept is closed: the next shorter path, which may ask for no password, must not take it. */
  const close = (key: string, route: IngressRoute): void => {
    first(key, [placeOf], (place) => {
      const { host, key: where } = place(route);
      const map = route.pathType === 'Exact' ? exact : prefix;
      if (map.has(where)) return;
      map.set(where, { section: sectionFor(key, noBackend('refused', 'http')), redirectsToHttps: false });
      hosts.add(host);
    });
  };

  for (const [key, route] of sorted(state.routes)) {
    const backend = state.backends.get(route.backend) ?? noBackend(route.backend, 'http');
    const last = accepted.routes.get(key);
    const forms = [{ route, backend }, ...(last ? [{ ...last, backend: endpointsNow(last.backend) }] : [])];
    const used = first(key, forms, (form) => {
      const place = placeOf(form.route);
      const map = form.route.pathType === 'Exact' ? exact : prefix;
      if (map.has(place.key)) throw new Refused(`another route has ${place.text} already`);
      const section = sectionFor(key, form.backend, cachedRouteForm(form.route));
      const { redirectsToHttps = false, hstsSeconds } = form.route.options;
      map.set(place.key, { section, redirectsToHttps, ...(hstsSeconds === undefined ? {} : { hstsSeconds }) });
      hosts.add(place.host);
    });
    if (used) taken.routes.set(key, used);
    else close(key, route);
  }

  const ports = new Map<string, string>();
  const listeners: WishedListener[] = [];
  for (const [key, listener] of sorted(state.listeners)) {
    const backend = state.backends.get(listener.backend) ?? noBackend(listener.backend, 'tcp');
    const last = accepted.listeners.get(key);
    const forms = [{ listener, backend }, ...(last ? [{ ...last, backend: endpointsNow(last.backend) }] : [])];
    const used = first(key, forms, (form) => {
      const refusal = refusals.get(listenerKey(form.listener));
      if (refusal !== undefined) throw new Refused(refusal);
      const claims = claimsOf(form.listener, state.settings);
      const { port, serverNames } = form.listener;
      const rival = serverNames ? `${port}` : `${port} named`;
      const other = [...claims, rival].map((claim) => ports.get(claim)).find((owner) => owner !== undefined);
      if (other !== undefined) throw new Refused(`port ${port} is taken by ${other}`);
      if (form.backend.mode !== 'tcp')
        throw new Refused(`${JSON.stringify(form.backend.name)} is no backend of plain TCP`);
      refusedClients(form.listener, new Map());
      const section = sectionFor(key, form.backend);
      for (const claim of claims) ports.set(claim, key);
      if (serverNames) ports.set(`${port} named`, key);
      listeners.push({ key, listener: form.listener, section });
    });
    if (used) taken.listeners.set(key, used);
  }

  const certificates = new Map<string, CertificateFile & { readonly key: string }>();
  const shownFor = new Set<string>();
  let defaultPem: string | undefined;
  // Those that name their hosts come before those for whatever stands in them.
  const ordered = sorted(state.certificates).sort(
    ([, a], [, b]) => Number(b.hosts.length > 0) - Number(a.hosts.length > 0),
  );
  for (const [key, certificate] of ordered) {
    const last = accepted.certificates.get(key);
    const used = first(key, last ? [certificate, last] : [certificate], (form) => {
      const file = certificateFile(form);
      const refusal = refusals.get(file.file);
      if (refusal !== undefined) throw new Refused(refusal);
      if (form.isDefault) defaultPem ??= file.pem;
      const isNew = file.hosts.some((host) => !shownFor.has(host));
      for (const host of file.hosts) shownFor.add(host);
      if (isNew && !certificates.has(file.file)) certificates.set(file.file, { ...file, key });
    });
    if (used) taken.certificates.set(key, used);
  }

  const challenges = new Map<string, string>();
  for (const [token, answer] of state.challenges) {
    if (isMapKey(token) && /^[\w.-]+$/.test(answer)) challenges.set(token, answer);
    else problems.set(token, 'the answer to the challenge has characters that cannot stand in one');
  }
  const { settings } = state;
  return { settings, sections, hosts, exact, prefix, challenges, listeners, certificates, defaultPem, problems, taken };
}

/** Says what it listens for; a refusal of it holds until that changes. */
export function listenerKey(listener: TcpListener): string {
  return `listener ${JSON.stringify(listener)}`;
}

function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

function noBackend(name: string, mode: 'http' | 'tcp'): IngressBackend {
  return { name, mode, endpoints: [], options: {} };
}

function placeOf({ host, path, pathType }: IngressRoute): {
  readonly host: string;
  readonly key: string;
  readonly text: string;
} {
  const name = host ?? anyHost;
  if (host !== undefined && !/^(\*\.)?[a-z0-9_]([\w.-]*[a-z0-9_])?$/.test(host))
    throw new Refused(`${JSON.stringify(host)} is no host name`);
  const encoded = encodedPath(path);
  if (!path.startsWith('/') || hasControl(path)) throw new Refused(`${JSON.stringify(path)} is no path`);
  const text = `${pathType} ${host ?? '*'}${path}`;
  return {
    host: name,
    text,
    key: pathType === 'Exact' ? `${name}${encoded}` : `${name}${encoded.replace(/\/+$/, '')}/`,
  };
}

/** What nobody else may listen for. */
function claimsOf({ port, serverNames }: TcpListener, { httpPort, httpsPort }: IngressSettings): readonly string[] {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Refused(`${port} is no port`);
  if (port === httpPort) throw new Refused(`port ${port} is the one for HTTP`);
  if (!serverNames) {
    if (port === httpsPort)
      throw new Refused(`port ${port} is the one for HTTPS: only TLS by server names can share it`);
    return [`${port}`];
  }
  const wrong = serverNames.find((name) => !/^(\*\.)?[a-z0-9_.-]+$/.test(name));
  if (wrong !== undefined) throw new Refused(`${JSON.stringify(wrong)} is no host name`);
  return serverNames.map((name) => `${port} ${name}`);
}

const joinedForms = new WeakMap<SectionForm, WeakMap<SectionForm, SectionForm>>();

/** The same two give the same one. */
function joined(own: SectionForm, more: SectionForm | undefined): SectionForm {
  if (!more || more.lines.length === 0) return own;
  const known = joinedForms.get(own) ?? new WeakMap<SectionForm, SectionForm>();
  joinedForms.set(own, known);
  const found = known.get(more);
  if (found) return found;
  const made = { ...own, lines: [...own.lines, ...more.lines], files: new Map([...own.files, ...more.files]) };
  known.set(more, made);
  return made;
}

function isPlain({ mode }: IngressBackend, form: SectionForm): boolean {
  return mode === 'http' && form.lines.length === 0;
}

const keys = new WeakMap<SectionForm, string>();

function sectionKey(name: string, form: SectionForm): string {
  let hash = keys.get(form);
  if (hash === undefined) {
    hash = createHash('sha256')
      .update(JSON.stringify([form.lines, form.serverWords]))
      .digest('hex')
      .slice(0, 12);
    keys.set(form, hash);
  }
  return `${name} ${hash}`;
}

const backendForms = new WeakMap<object, SectionForm>();
const routeForms = new WeakMap<IngressRoute, SectionForm>();

/** By its options, which stay the same object while endpoints change. */
function cachedBackendForm(backend: IngressBackend): SectionForm {
  return cached(backendForms, backend.options, backend.mode === 'http', () => backendForm(backend));
}

function cachedRouteForm(route: IngressRoute): SectionForm {
  return cached(routeForms, route, true, () => routeForm(route));
}

function cached<K extends object>(
  forms: WeakMap<K, SectionForm>,
  key: K,
  mayCache: boolean,
  make: () => SectionForm,
): SectionForm {
  const found = mayCache ? forms.get(key) : undefined;
  if (found) return found;
  const made = make();
  if (mayCache) forms.set(key, made);
  return made;
}

/** Conditions under which a client may not connect. */
export function refusedClients({ allow, deny }: TcpListener, files: Map<string, string>): readonly string[] {
  return [
    ...(deny ? [`{ src -f ${addressFile(deny, files)} }`] : []),
    ...(allow ? [`!{ src -f ${addressFile(allow, files)} }`] : []),
  ];
}

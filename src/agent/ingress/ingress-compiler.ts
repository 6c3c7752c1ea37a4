import type {
  IngressCertificate,
  IngressRoute,
  IngressSettings,
  IngressState,
  TcpListener,
} from '../../adapters/ingress/port.ts';
import { isOurIngress } from '../../resources/is-our-ingress.ts';
import { jsonEqual } from '../../resources/json.ts';
import type { Certificate, EndpointSlice, Ingress, IngressClass, Secret, Service } from '../../resources/kinds.ts';
import { ChangedMap } from '../changed-map.ts';
import { Backends } from './backends.ts';
import { Claims } from './claims.ts';
import { type CompiledIngress, compileIngress } from './compile-ingress.ts';
import { Dependents } from './dependents.ts';
import { Grouped, namespaceOf, put } from './grouped.ts';
import { NumberedMap } from './numbered-map.ts';
import { anyHostPlace, listenerPlaces, listenerText, placesOf, routePlace, routeText } from './places.ts';
import { type KeyPair, keyPairOf, shownCertificates } from './shown-certificates.ts';
import { wishesOf } from './wishes.ts';

type Sentences = readonly string[];

/**
 * Objects of a grid → what this host's proxy is to do. Work is in proportion to what changed: a slice costs its backends,
 * a Service or Secret object the Ingress objects that name it. What comes out the same is the same object, which is how the
 * adapter knows.
 */
export class IngressCompiler {
  #settings: IngressSettings;
  readonly #ingresses = new Map<string, Ingress>();
  readonly #classes = new Map<string, IngressClass>();
  readonly #services = new Map<string, Service>();
  readonly #secrets = new Map<string, Secret>();
  readonly #keyPairs = new Map<string, KeyPair>();
  readonly #certificates = new Map<string, Certificate>();

  /** By the key of the Ingress object; only those that are ours. */
  readonly #compiled = new Map<string, CompiledIngress>();
  readonly #byService = new Dependents();
  readonly #bySecret = new Dependents();
  readonly #claims = new Claims();
  readonly #compiledIn = new Grouped();
  readonly #certificatesIn = new Grouped();
  readonly #dirty = { ingresses: new Set<string>(), contested: new Set<string>(), namespaces: new Set<string>() };

  readonly #routes = new NumberedMap<IngressRoute>();
  readonly #backends = new Backends();
  readonly #listeners = new NumberedMap<TcpListener>();
  readonly #shown = new ChangedMap<IngressCertificate>();
  /** By namespace: which Ingress objects a shown certificate is for. */
  readonly #shownFor = new Map<string, ReadonlyMap<string, Sentences>>();
  /** By namespace: hosts whose certificate browsers may know. */
  readonly #publicHosts = new Map<string, ReadonlySet<string>>();
  readonly #challenges = new ChangedMap<string>();
  readonly #tokensOf = new Map<string, Sentences>();
  readonly #problems = new ChangedMap<Sentences>();
  readonly #problemsOf = {
    objects: new Map<string, Sentences>(),
    claims: new Map<string, Sentences>(),
    /** By namespace. */
    certificates: new Map<string, ReadonlyMap<string, Sentences>>(),
  };
  #state: IngressState;

  constructor(settings: IngressSettings) {
    this.#settings = settings;
    this.#state = this.#given();
  }

  setSettings(settings: IngressSettings): void {
    if (jsonEqual(settings, this.#settings)) return;
    if (settings.httpsPort !== this.#settings.httpsPort) this.#compileAll();
    this.#settings = settings;
  }

  /** `key`: `<namespace>/<name>`; undefined: it is gone. The same for all kinds. */
  setIngress(key: string, ingress: Ingress | undefined): void {
    put(this.#ingresses, key, ingress);
    this.#dirty.ingresses.add(key);
  }

  setClass(name: string, ingressClass: IngressClass | undefined): void {
    put(this.#classes, name, ingressClass);
    this.#compileAll();
  }

  setService(key: string, service: Service | undefined): void {
    const before = this.#services.get(key);
    put(this.#services, key, service);
    if (isSameService(before, service)) return;
    for (const user of this.#byService.usersOf(key)) this.#dirty.ingresses.add(user);
  }

  setSlice(key: string, slice: EndpointSlice | undefined): void {
    this.#backends.setSlice(key, slice);
  }

  /** Of types `kubernetes.io/tls` and `flotilla.dev/basic-auth`. */
  setSecret(key: string, secret: Secret | undefined): void {
    put(this.#secrets, key, secret);
    put(this.#keyPairs, key, secret && keyPairOf(secret));
    for (const user of this.#bySecret.usersOf(key)) this.#dirty.ingresses.add(user);
    this.#dirty.namespaces.add(namespaceOf(key));
  }

  setCertificate(key: string, certificate: Certificate | undefined): void {
    put(this.#certificates, key, certificate);
    this.#certificatesIn.put(namespaceOf(key), key, certificate !== undefined);
    for (const token of this.#tokensOf.get(key) ?? []) this.#challenges.delete(token);
    const challenges = certificate?.status?.challenges ?? [];
    put(this.#tokensOf, key, challenges.length === 0 ? undefined : challenges.map(({ token }) => token));
    for (const { token, keyAuthorization } of challenges) this.#challenges.set(token, keyAuthorization);
    this.#dirty.namespaces.add(namespaceOf(key));
  }

  /** The same object while nothing changes; what was given out is never changed. */
  get state(): IngressState {
    for (const key of this.#dirty.ingresses) this.#compile(key);
    for (const namespace of this.#dirty.namespaces) this.#certify(namespace);
    for (const key of this.#dirty.contested) this.#settle(key);
    for (const set of Object.values(this.#dirty)) set.clear();
    const next = this.#given();
    if (!isSameState(this.#state, next)) this.#state = next;
    return this.#state;
  }

  /** Of the state that was given out last: why something is not as an Ingress object asks for it, by its key. */
  get problems(): ReadonlyMap<string, readonly string[]> {
    return this.#problems.give();
  }

  /** Likewise: the Ingress objects that a route, a listener or a certificate is for. */
  ingressesOf(key: string): readonly string[] {
    const hash = key.lastIndexOf('#');
    if (hash >= 0) return [key.slice(0, hash)];
    return this.#shownFor.get(namespaceOf(key))?.get(key) ?? [];
  }

  #given(): IngressState {
    return {
      settings: this.#settings,
      routes: this.#routes.give(),
      backends: this.#backends.give(),
      listeners: this.#listeners.give(),
      certificates: this.#shown.give(),
      challenges: this.#challenges.give(),
    };
  }

  #compileAll(): void {
    for (const key of this.#ingresses.keys()) this.#dirty.ingresses.add(key);
  }

  #compile(key: string): void {
    const ingress = this.#ingresses.get(key);
    const namespace = namespaceOf(key);
    const before = this.#compiled.get(key);
    let found: CompiledIngress | undefined;
    if (ingress && !ingress.metadata.deletionTimestamp && isOurIngress(ingress, this.#classes)) {
      found = compileIngress(ingress, wishesOf(ingress), {
        service: (name) => this.#services.get(`${namespace}/${name}`),
        users: (name) => this.#secrets.get(`${namespace}/${name}`),
        httpsPort: this.#settings.httpsPort,
      });
    }
    put(this.#compiled, key, found);
    this.#compiledIn.put(namespace, key, found !== undefined);
    put(this.#problemsOf.objects, key, found?.problems);
    this.#byService.set(key, found?.services.map((name) => `${namespace}/${name}`) ?? []);
    this.#bySecret.set(key, found?.secrets.map((name) => `${namespace}/${name}`) ?? []);
    this.#backends.use(key, before?.backends ?? [], found?.backends ?? []);
    const createdAt = String(ingress?.metadata.creationTimestamp ?? '');
    for (const other of this.#claims.set(key, createdAt, found ? placesOf(found) : [])) this.#contest(other);
    this.#contest(key);
  }

  #contest(key: string): void {
    this.#dirty.contested.add(key);
    this.#dirty.namespaces.add(namespaceOf(key));
  }

  /** Puts those routes and listeners of an Ingress object in force that no older one has. */
  #settle(key: string): void {
    const { routes = [], listeners = [] } = this.#compiled.get(key) ?? {};
    const problems = new Set<string>();
    const isMine = (place: string, text: string): boolean => {
      const owner = this.#claims.ownerOf(place);
      if (owner !== key) problems.add(`${text} is taken by Ingress ${owner}, which is older`);
      return owner === key;
    };
    this.#routes.set(
      key,
      routes.map((one) => (isMine(routePlace(one), routeText(one)) ? this.#withRedirect(key, one) : undefined)),
    );
    this.#listeners.set(
      key,
      listeners.map((one) => {
        return listenerPlaces(one).every((place) => isMine(place, listenerText(one))) ? one : undefined;
      }),
    );
    put(this.#problemsOf.claims, key, problems.size === 0 ? undefined : [...problems]);
    this.#tellProblems(key);
  }

  /** Whoever says nothing is sent to HTTPS where browsers will like what they see there. */
  #withRedirect(key: string, route: IngressRoute): IngressRoute {
    const { host, options } = route;
    if (options.redirectsToHttps !== undefined || host === undefined) return route;
    if (!this.#publicHosts.get(namespaceOf(key))?.has(host)) return route;
    return { ...route, options: { ...options, redirectsToHttps: true } };
  }

  #certify(namespace: string): void {
    const ingresses = new Map<string, CompiledIngress>();
    for (const key of this.#compiledIn.of(namespace)) {
      const compiled = this.#compiled.get(key);
      if (compiled) ingresses.set(key, compiled);
    }
    const anyHost = this.#claims.ownerOf(anyHostPlace);
    const { certificates, users, publicHosts, problems } = shownCertificates({
      ...{ namespace, ingresses },
      certificates: [...this.#certificatesIn.of(namespace)].flatMap((key) => this.#certificates.get(key) ?? []),
      pair: (secretName) => this.#keyPairs.get(`${namespace}/${secretName}`),
      ...(anyHost === undefined ? {} : { anyHost }),
    });
    for (const key of this.#shownFor.get(namespace)?.keys() ?? []) if (!users.has(key)) this.#shown.delete(key);
    for (const [key, certificate] of certificates) this.#shown.set(key, certificate);
    put(this.#shownFor, namespace, users.size === 0 ? undefined : users);
    const knownHosts = this.#publicHosts.get(namespace);
    put(this.#publicHosts, namespace, publicHosts.size === 0 ? undefined : publicHosts);
    for (const [key, { hosts }] of ingresses) {
      const isOther = hosts.some((host) => publicHosts.has(host) !== (knownHosts?.has(host) ?? false));
      if (isOther) this.#dirty.contested.add(key);
    }
    const before = this.#problemsOf.certificates.get(namespace);
    put(this.#problemsOf.certificates, namespace, problems.size === 0 ? undefined : problems);
    for (const key of new Set([...(before?.keys() ?? []), ...problems.keys()])) this.#tellProblems(key);
  }

  #tellProblems(key: string): void {
    const { objects, claims, certificates } = this.#problemsOf;
    const all = [
      ...(objects.get(key) ?? []),
      ...(claims.get(key) ?? []),
      ...(certificates.get(namespaceOf(key))?.get(key) ?? []),
    ];
    if (all.length > 0) this.#problems.set(key, all);
    else this.#problems.delete(key);
  }
}

/** As far as it matters here: a status does not. */
function isSameService(a: Service | undefined, b: Service | undefined): boolean {
  if (!a || !b) return a === b;
  return (
    a.metadata.uid === b.metadata.uid &&
    jsonEqual(a.spec, b.spec) &&
    jsonEqual(a.metadata.annotations ?? {}, b.metadata.annotations ?? {})
  );
}

function isSameState(a: IngressState, b: IngressState): boolean {
  return (
    a.settings === b.settings &&
    a.routes === b.routes &&
    a.backends === b.backends &&
    a.listeners === b.listeners &&
    a.certificates === b.certificates &&
    a.challenges === b.challenges
  );
}

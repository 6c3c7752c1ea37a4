import type { IngressProxy, IngressSettings, IngressState } from '../../adapters/ingress/port.ts';
import type { Client } from '../../client/client.ts';
import { keyOf } from '../../client/informer.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { IngressProblem } from '../../resources/applied.ts';
import type { EndpointSlice, Service } from '../../resources/kinds.ts';
import type { IngressObjects } from '../disk/ingress-file.ts';
import { startApplyLoop } from '../network/apply-loop.ts';
import type { ServiceView } from '../network/data-plane.ts';
import type { ProxyProgress } from '../watermark.ts';
import { IngressCompiler } from './ingress-compiler.ts';
import { startIngressWatches } from './ingress-watches.ts';
import { objectProblems } from './object-problems.ts';

export interface ServingOptions {
  readonly proxy: IngressProxy;
  readonly client: Client;
  readonly settings: IngressSettings;
  readonly remembered: IngressObjects | undefined;
  readonly serviceView: () => ServiceView | undefined;
  /** Of EndpointSlices: told before the proxy has done anything. */
  readonly startRevision: number;
  readonly onProgress: (progress: ProxyProgress) => void;
  readonly onProblems: (problems: readonly IngressProblem[]) => void;
  /** What is kept on disk has changed. */
  readonly onObjects: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A node that lets traffic in: its proxy follows the API, and is put right when it has drifted. */
export interface Serving {
  setSettings(settings: IngressSettings): void;
  replaceServices(services: Iterable<Service>, slices: Iterable<EndpointSlice>): void;
  setService(key: string, service: Service | undefined): void;
  setSlice(key: string, slice: EndpointSlice | undefined): void;
  changed(): void;
  /** As it was asked for last. */
  readonly state: IngressState;
  /** Why the proxy does not follow. */
  readonly problem: string | undefined;
  readonly problems: readonly IngressProblem[];
  objects(): IngressObjects | undefined;
  /** Nobody new is let in, and the proxy follows on. True when no connection is left, or the time is over; false: it could not. */
  retire(graceSeconds: number): Promise<boolean>;
  /** The proxy goes on. */
  stop(): Promise<void>;
}

/** A proxy that somebody killed is missed by clients at once. */
const lookMs = 250;
const retryRefusedMs = 5_000;
/** So long it may take until a server has said what is to be let in; stops do not wait for longer. */
const patienceMs = 5_000;

export function startServing(options: ServingOptions): Serving {
  const { proxy, clock, log } = options;
  const compiler = new IngressCompiler(options.settings);
  const services = new Set<string>();
  const slices = new Set<string>();
  let hasApplied = false;
  /** What the proxy has in force as it was asked for. */
  let inForce: IngressState | undefined;
  let refused: ReadonlyMap<string, string> = new Map();
  let refusedAtMs: number | undefined;
  let applied = { ingresses: 0, secrets: 0, certificates: 0 };
  let revision = options.startRevision;
  let problem: string | undefined;
  let problems: readonly IngressProblem[] = [];
  let isStopped = false;
  /** No proxy ran when this was looked at: what is on disk is better than nothing. */
  let isDiskBest = false;
  let running: Promise<unknown> = Promise.resolve();
  let cancelLook = () => {};

  /** The adapter takes one call at a time. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = running.then(work);
    running = mine.catch(() => {});
    return mine;
  };
  const tell = () => {
    options.onProgress({ revision, ingress: { ...applied, ...(problem === undefined ? {} : { problem }) } });
  };
  /** A server has said all of it. */
  const isFresh = () => watches.isSynced && (options.serviceView()?.revision ?? 0) > 0;
  const changed = () => {
    if (watches.isKnown && options.serviceView() && (isFresh() || isDiskBest)) loop.changed();
  };
  const loop = startApplyLoop({
    what: 'ingress proxy',
    revision: () => options.serviceView()?.revision ?? 0,
    apply: () =>
      inTurn(async () => {
        const { revisions } = watches;
        const { state } = compiler;
        const compiled = compiler.problems;
        // Slices of services that nobody lets in change nothing.
        if (state !== inForce) {
          inForce = undefined;
          const outcome = await proxy.apply(state);
          if (outcome.by !== undefined && outcome.by !== 'runtime') log.info('ingress proxy', { change: outcome.by });
          hasApplied = true;
          inForce = state;
          refused = outcome.problems;
          refusedAtMs = refused.size > 0 ? clock.monotonicMs() : undefined;
        }
        applied = revisions;
        problems = objectProblems({ compiled, refused, ingressesOf: (key) => compiler.ingressesOf(key) });
        options.onProblems(problems);
      }),
    onApplied: (news) => {
      cancelPatience();
      // A view from disk is older than what was told before.
      revision = Math.max(revision, news.revision);
      problem = news.problem;
      tell();
    },
    ...{ clock, log },
  });
  const watches = startIngressWatches({
    ...{ client: options.client, remembered: options.remembered, clock, log },
    onIngress: (key, ingress) => compiler.setIngress(key, ingress),
    onClass: (key, ingressClass) => compiler.setClass(key, ingressClass),
    onSecret: (key, secret) => compiler.setSecret(key, secret),
    onCertificate: (key, certificate) => compiler.setCertificate(key, certificate),
    onChange: () => {
      options.onObjects();
      changed();
    },
    onBookmark: changed,
  });
  const cancelPatience = clock.after(patienceMs, () => {
    problem ??= 'no server has said yet what is to be let in';
    tell();
  });
  /**
   * The disk is a moment behind: a proxy of the run before this may know better which pods have gone, and goes on as it is until
   * a server has spoken.
   */
  const lookForProxy = async () => {
    if (isDiskBest || isFresh()) return;
    isDiskBest = await proxy.stats().then(
      () => false,
      () => true,
    );
    changed();
  };
  const lookForDrift = async () => {
    const hasDrifted = await proxy.hasDrifted();
    // What was refused may be possible by now: a port that somebody else had.
    const isDue = refusedAtMs !== undefined && clock.monotonicMs() - refusedAtMs > retryRefusedMs;
    if ((!hasDrifted && !isDue) || isStopped) return;
    if (hasDrifted) log.warn('the ingress proxy is not as it was left; putting it right');
    inForce = undefined;
    changed();
  };
  const look = () => {
    inTurn(() => (hasApplied ? lookForDrift() : lookForProxy()))
      .catch((error) => log.warn('cannot look at the ingress proxy', { error }))
      .finally(() => {
        if (!isStopped) cancelLook = clock.after(lookMs, look);
      });
  };

  const setService = (key: string, service: Service | undefined) => {
    mark(services, key, service !== undefined);
    compiler.setService(key, service);
  };
  const setSlice = (key: string, slice: EndpointSlice | undefined) => {
    mark(slices, key, slice !== undefined);
    compiler.setSlice(key, slice);
  };
  const replaceServices: Serving['replaceServices'] = (all, every) => {
    const gone = { services: new Set(services), slices: new Set(slices) };
    for (const one of all) {
      gone.services.delete(keyOf(one));
      setService(keyOf(one), one);
    }
    for (const one of every) {
      gone.slices.delete(keyOf(one));
      setSlice(keyOf(one), one);
    }
    for (const key of gone.services) setService(key, undefined);
    for (const key of gone.slices) setSlice(key, undefined);
  };

  const view = options.serviceView();
  if (view) replaceServices(view.services, view.slices);
  tell();
  look();
  changed();

  return {
    setSettings(settings) {
      compiler.setSettings(settings);
      changed();
    },
    ...{ replaceServices, setService, setSlice, changed },
    get state() {
      return compiler.state;
    },
    get problem() {
      return problem;
    },
    get problems() {
      return problems;
    },
    objects: () => (watches.isKnown ? watches.objects() : undefined),
    retire: (graceSeconds) =>
      proxy.retire(graceSeconds).then(
        () => true,
        (error) => {
          log.warn('the ingress proxy does not follow to its end', { error });
          return false;
        },
      ),
    async stop() {
      isStopped = true;
      cancelLook();
      cancelPatience();
      await Promise.all([watches.stop(), loop.stop()]);
      await running;
    },
  };
}

function mark(keys: Set<string>, key: string, isThere: boolean): void {
  if (isThere) keys.add(key);
  else keys.delete(key);
}

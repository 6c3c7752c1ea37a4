import type { IngressProxy, IngressSettings, IngressState } from '../../adapters/ingress/port.ts';
import type { Client } from '../../client/client.ts';
import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { IngressProblem } from '../../resources/applied.ts';
import type { GridIngress } from '../../resources/grid-ingress.ts';
import { isIngressNode } from '../../resources/ingress-node.ts';
import type { IngressReport } from '../../resources/ingress-report.ts';
import type { EndpointSlice, Node, Service } from '../../resources/kinds.ts';
import { startDiskKeeper } from '../disk/disk-keeper.ts';
import type { IngressObjects } from '../disk/ingress-file.ts';
import type { ServiceView } from '../network/data-plane.ts';
import type { ProxyProgress } from '../watermark.ts';
import { renderIngressMetrics } from './ingress-metrics.ts';
import { type ReadCertificates, reportProxy } from './report-proxy.ts';
import { type Serving, startServing } from './serving.ts';

export interface NodeIngressOptions {
  readonly proxy: IngressProxy;
  readonly client: Client;
  readonly nodeName: string;
  /** What was on disk when the agent started. */
  readonly remembered: IngressObjects | undefined;
  readonly writeObjects: (objects: IngressObjects) => Promise<void>;
  readonly removeObjects: () => Promise<void>;
  /** The newest services and who is behind them; undefined: nothing is known yet. */
  readonly serviceView: () => ServiceView | undefined;
  /** Up to which revision names and service addresses follow. */
  readonly networkRevision: () => number;
  readonly onProgress: (progress: ProxyProgress) => void;
  readonly onProblems: (problems: readonly IngressProblem[]) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Lets traffic in on this host while its Node object has the label for it; costs nothing otherwise. */
export interface NodeIngress {
  /** The Node object as the API has it now, or had it last. */
  setNode(node: Node | undefined): void;
  setGrid(ingress: GridIngress): void;
  /** As the network is told. */
  replaceServices(services: Iterable<Service>, slices: Iterable<EndpointSlice>): void;
  setService(key: string, service: Service | undefined): void;
  setSlice(key: string, slice: EndpointSlice | undefined): void;
  /** The service view is a newer one. */
  changed(): void;
  report(): Promise<IngressReport>;
  /** Prometheus text; empty where there is no proxy. */
  renderMetrics(): Promise<string>;
  /** The host goes down: nobody new is let in, and what is under way may take so long. */
  endHost(graceSeconds: number): Promise<void>;
  /** The proxy goes on. */
  stop(): Promise<void>;
}

/** Requests under way may take so long when a node is to let nobody in any more. */
const endGraceSeconds = 30;

export function startNodeIngress(options: NodeIngressOptions): NodeIngress {
  const { proxy, nodeName, clock, log } = options;
  let remembered = options.remembered;
  let isWanted: boolean | undefined;
  let settings: IngressSettings | undefined;
  let serving: Serving | undefined;
  let ending: Promise<void> = Promise.resolve();
  let isStopped = false;
  const certificates: ReadCertificates = new WeakMap();
  /** No proxy runs here, and that was told. */
  let isNoneLeft = false;

  const file = startDiskKeeper({
    name: 'ingress objects',
    write: async () => {
      const objects = serving?.objects();
      if (objects) await options.writeObjects(objects);
    },
    ...{ log, clock },
  });
  const begin = () => {
    if (isStopped || serving || !isWanted || !settings) return;
    serving = startServing({
      ...{ proxy, client: options.client, settings, remembered, clock, log },
      serviceView: options.serviceView,
      // Where none ran, what is told so far stays true until the proxy has its first word; one of an earlier agent may still
      // send to who has left since.
      startRevision: isNoneLeft ? options.networkRevision() : 0,
      onProgress: (progress) => options.onProgress(progress),
      onProblems: options.onProblems,
      onObjects: () => file.changed(),
    });
    remembered = undefined;
    isNoneLeft = false;
  };
  /** It is told that there is no proxy when there is none: until then it may send requests, and stops wait for it. */
  const end = async (graceSeconds: number) => {
    const last = serving;
    if (last) log.info('this node lets nobody in any more', { node: nodeName });
    // It follows to its end: over a connection that somebody has one more request may come.
    const isRetired = await last?.retire(graceSeconds);
    serving = undefined;
    await last?.stop();
    options.onProblems([]);
    try {
      await proxy.end(isRetired ? 0 : graceSeconds);
      isNoneLeft = true;
      options.onProgress('none');
    } catch (error) {
      log.warn('the proxy was not ended', { error });
      const problem = `it was not ended: ${messageOf(error)}`;
      options.onProgress({ revision: 0, ingress: { ingresses: 0, secrets: 0, certificates: 0, problem } });
    }
  };
  const endForGood = async () => {
    await end(endGraceSeconds);
    await options.removeObjects().catch((error) => log.warn('ingress objects not removed from disk', { error }));
  };

  return {
    setNode(node) {
      const isNow = isIngressNode(node);
      if (isNow === isWanted || isStopped) return;
      isWanted = isNow;
      if (isNow) void ending.then(begin);
      else ending = ending.then(() => (isWanted ? undefined : endForGood()));
    },
    setGrid(ingress) {
      settings = settingsOf(ingress);
      if (serving) serving.setSettings(settings);
      else void ending.then(begin);
    },
    replaceServices: (services, slices) => serving?.replaceServices(services, slices),
    setService: (key, service) => serving?.setService(key, service),
    setSlice: (key, slice) => serving?.setSlice(key, slice),
    changed: () => serving?.changed(),
    async report() {
      if (!serving) return { node: nodeName, problem: whyNone(isWanted), problems: [] };
      const { state, problem, problems } = serving;
      const stats = await proxy.stats().catch(messageOf);
      if (typeof stats === 'string') return { node: nodeName, problem: problem ?? stats, problems };
      return {
        ...{ node: nodeName, problems, proxy: await reportProxy(stats, state, certificates) },
        ...(problem === undefined ? {} : { problem }),
      };
    },
    async renderMetrics() {
      if (!serving) return '';
      const { state, problem } = serving;
      return renderIngressMetrics(await proxy.stats().catch(() => undefined), state, problem === undefined);
    },
    async endHost(graceSeconds) {
      isStopped = true; // whatever its label says
      ending = ending.then(() => (serving ? end(graceSeconds) : undefined));
      await ending;
    },
    async stop() {
      isStopped = true;
      await serving?.stop();
      await file.stop();
      await proxy.stop();
    },
  };
}

function whyNone(isWanted: boolean | undefined): string {
  return isWanted ? 'the settings of the grid have not been read yet' : 'the node has no label flotilla.dev/ingress';
}

function settingsOf(ingress: GridIngress): IngressState['settings'] {
  const { httpPort, httpsPort, trustedProxies, acceptProxyProtocol, maxConnections, healthPath } = ingress;
  return {
    ...{ httpPort, httpsPort, trustedProxies, maxConnections },
    acceptsProxyProtocol: acceptProxyProtocol,
    ...(healthPath === undefined ? {} : { healthPath }),
  };
}

import type { Client } from '../client/client.ts';
import { type Informer, startInformer } from '../client/informer.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import {
  type EndpointSlice,
  endpointSlices as endpointSliceKind,
  type Node,
  nodes as nodeKind,
  type Pod,
  pods as podKind,
  type Service,
  services as serviceKind,
} from '../resources/kinds.ts';
import type { PodNetwork } from './network/pod-network.ts';
import type { NodeReporter } from './node/node-reporter.ts';
import type { Pods } from './pod/pods.ts';

export interface WatchesOptions {
  readonly client: Client;
  readonly nodeName: string;
  readonly pods: Pods;
  readonly network: PodNetwork;
  readonly reporter: NodeReporter;
  /** From disk: what a server no longer lists is dropped. */
  readonly rememberedPods: readonly Pod[];
  /** This node was given its share of the pod range. */
  readonly onRange: (podCIDR: string) => void;
  /** Something that is kept on disk changed. */
  readonly onChange: () => void;
  readonly log: Logger;
  readonly clock: Clock;
}

/** What the agent follows in the API. */
export interface Watches {
  readonly nodes: Informer<Node>;
  readonly services: Informer<Service>;
  readonly endpointSlices: Informer<EndpointSlice>;
  stop(): Promise<void>;
}

/** Changes within this time become one new zone. */
const zoneDelayMs = 5;

export function startWatches(options: WatchesOptions): Watches {
  const { client, nodeName, pods, network, reporter, onChange, log, clock } = options;
  const common = { client, log, clock };
  let isZonePlanned = false;

  /** Only whole truths: half a list would take names away that exist. */
  const planZone = () => {
    onChange();
    if (isZonePlanned) return;
    isZonePlanned = true;
    clock.after(zoneDelayMs, () => {
      isZonePlanned = false;
      if (services.isSynced && endpointSlices.isSynced) network.setNames(services.list(), endpointSlices.list());
    });
  };
  const services = startInformer({ ...common, kind: serviceKind, onChange: planZone });
  const endpointSlices = startInformer({ ...common, kind: endpointSliceKind, onChange: planZone });
  void Promise.all([services.synced, endpointSlices.synced]).then(planZone);

  const nodes = startInformer({
    ...common,
    kind: nodeKind,
    onChange: (name, node) => {
      if (nodes.isSynced) network.setNodes(nodes.list());
      onChange();
      if (name !== nodeName) return;
      const podCIDR = node?.spec.podCIDRs?.[0];
      if (podCIDR !== undefined) options.onRange(podCIDR);
      if (nodes.isSynced) reporter.observe(node);
    },
  });
  void nodes.synced.then(() => network.setNodes(nodes.list()));

  const ownPods = startInformer({
    ...common,
    kind: podKind,
    fieldSelector: `spec.nodeName=${nodeName}`,
    onAdd: (pod) => pods.upsert(pod),
    onUpdate: (pod) => pods.upsert(pod),
    onDelete: (pod) => pods.drop(pod),
  });
  void ownPods.synced.then(() => {
    const listed = new Set([...ownPods.list()].map((pod) => pod.metadata.uid));
    for (const pod of options.rememberedPods) if (!listed.has(pod.metadata.uid)) pods.drop(pod);
    pods.markSynced();
  });

  return {
    nodes,
    services,
    endpointSlices,
    stop: async () => {
      await Promise.all([services, endpointSlices, nodes, ownPods].map((informer) => informer.stop()));
    },
  };
}

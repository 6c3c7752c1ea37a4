import type { Client } from '../client/client.ts';
import { type Informer, startInformer } from '../client/informer.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import {
  type AddressGroup,
  addressGroups as addressGroupKind,
  type EndpointSlice,
  endpointSlices as endpointSliceKind,
  type NetworkPolicy,
  type Node,
  networkPolicies as networkPolicyKind,
  nodes as nodeKind,
  type Pod,
  pods as podKind,
  type Service,
  services as serviceKind,
} from '../resources/kinds.ts';
import type { NodeIngress } from './ingress/node-ingress.ts';
import type { NodeNetwork } from './network/node-network.ts';
import type { NodeReporter } from './node/node-reporter.ts';
import type { Pods } from './pod/pods.ts';

export interface WatchesOptions {
  readonly client: Client;
  readonly nodeName: string;
  readonly pods: Pods;
  readonly network: Pick<NodeNetwork, 'pods' | 'policies' | 'replaceServices' | 'setService' | 'setSlice'>;
  readonly ingress?: Pick<NodeIngress, 'replaceServices' | 'setService' | 'setSlice' | 'setNode'>;
  readonly reporter: NodeReporter;
  /** From disk: what a server no longer lists is dropped. */
  readonly rememberedPods: readonly Pod[];
  /** This node was given its share of the pod range. */
  readonly onRange: (podCIDR: string) => void;
  /** Services or who is behind them; only when both are known. */
  readonly onServices: () => void;
  /** Something that is kept on disk changed. */
  readonly onChange: () => void;
  readonly log: Logger;
  readonly clock: Clock;
}

/** What the agent follows in the API. */
export interface Watches {
  /** Those of this node. */
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
  readonly services: Informer<Service>;
  readonly endpointSlices: Informer<EndpointSlice>;
  readonly policies: Informer<NetworkPolicy>;
  readonly addressGroups: Informer<AddressGroup>;
  stop(): Promise<void>;
}

export function startWatches(options: WatchesOptions): Watches {
  const { client, nodeName, pods, network, ingress, reporter, onChange, log, clock } = options;
  const common = { client, log, clock };

  /** Only whole truths: half a list would take names away that exist. */
  const tellServices = () => {
    onChange();
    if (services.isSynced && endpointSlices.isSynced) options.onServices();
  };
  const services = startInformer({
    ...common,
    kind: serviceKind,
    onChange: (key, service) => {
      network.setService(key, service);
      ingress?.setService(key, service);
      tellServices();
    },
  });
  const endpointSlices = startInformer({
    ...common,
    kind: endpointSliceKind,
    onChange: (key, slice) => {
      network.setSlice(key, slice);
      ingress?.setSlice(key, slice);
      tellServices();
    },
    onBookmark: tellServices, // the revision is a later one
  });
  void Promise.all([services.synced, endpointSlices.synced]).then(() => {
    // What was on disk and is no longer listed goes.
    network.replaceServices(services.list(), endpointSlices.list());
    ingress?.replaceServices(services.list(), endpointSlices.list());
    tellServices();
  });

  const tellPolicies = () => {
    onChange();
    network.policies.changed();
  };
  const policies = startInformer({ ...common, kind: networkPolicyKind, onChange: tellPolicies });
  const addressGroups = startInformer({ ...common, kind: addressGroupKind, onChange: tellPolicies });

  const nodes = startInformer({
    ...common,
    kind: nodeKind,
    onChange: (name, node) => {
      if (nodes.isSynced) network.pods.setNodes(nodes.list());
      onChange();
      if (name !== nodeName) return;
      const podCIDR = node?.spec.podCIDRs?.[0];
      if (podCIDR !== undefined) options.onRange(podCIDR);
      if (!nodes.isSynced) return;
      reporter.observe(node);
      ingress?.setNode(node);
    },
  });
  void nodes.synced.then(() => {
    network.pods.setNodes(nodes.list());
    ingress?.setNode(nodes.get(nodeName));
  });

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
    for (const pod of options.rememberedPods) {
      if (listed.has(pod.metadata.uid)) continue;
      pods.upsert(pod); // its grace period and its handlers are known by it alone
      pods.drop(pod);
    }
    pods.markSynced();
  });
  void Promise.all([policies.synced, addressGroups.synced, ownPods.synced]).then(tellPolicies);

  return {
    pods: ownPods,
    nodes,
    services,
    endpointSlices,
    policies,
    addressGroups,
    stop: async () => {
      await Promise.all(
        [services, endpointSlices, policies, addressGroups, nodes, ownPods].map((informer) => informer.stop()),
      );
    },
  };
}

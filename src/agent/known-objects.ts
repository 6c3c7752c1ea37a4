import type { Informer } from '../client/informer.ts';
import type { Clock } from '../lib/clock.ts';
import type { Node, Service } from '../resources/kinds.ts';
import type { ApiObject } from '../resources/object.ts';
import type { Assignments } from './disk/assignments.ts';
import type { ServiceView } from './network/data-plane.ts';
import type { PolicyView } from './network/pod-policies.ts';
import type { PodRecord } from './pod/pod-record.ts';
import type { Watches } from './watches.ts';

/**
 * So long a server may take to say what is so. The disk is a moment behind: an agent that was killed and goes by it would take an
 * instance out of routing that was ready by then, and send requests to one that has gone. Until then everything stays as the run before
 * has left it.
 */
const patienceMs = 3_000;

export interface KnownObjectsOptions {
  /** What was on disk when the agent started. */
  readonly remembered: Assignments | undefined;
  readonly watches: () => Watches;
  readonly records: () => Iterable<PodRecord>;
  /** No server has spoken: what was on disk counts now, where `watches` know nothing. */
  readonly onUse: (assignments: Assignments) => void;
  readonly clock: Clock;
}

/** The newest that the agent knows of each kind: what a server has said, else, after a while, what was on disk. */
export interface KnownObjects {
  /** Also from disk, at once: who was a peer a moment ago is one. */
  nodes(): readonly Node[];
  servicesOf(namespace: string): readonly Service[];
  /** Undefined: nothing counts yet. */
  serviceView(): ServiceView | undefined;
  policyView(): PolicyView | undefined;
  /** What to run and whom to know without any server. */
  toRemember(): Omit<Assignments, 'references' | 'tokens'>;
  stop(): void;
}

export function startKnownObjects(options: KnownObjectsOptions): KnownObjects {
  const { remembered, watches } = options;
  let isDiskUsed = false;
  const cancel = options.clock.after(patienceMs, () => {
    if (!remembered) return;
    isDiskUsed = true;
    options.onUse(remembered);
  });

  return {
    nodes: () => known(watches().nodes, remembered?.nodes),
    servicesOf: (namespace) =>
      known(watches().services, remembered?.services).filter((one) => one.metadata.namespace === namespace),

    serviceView() {
      const { services, endpointSlices: slices } = watches();
      if (services.isSynced && slices.isSynced) {
        return {
          services: services.list(),
          slices: slices.list(),
          revision: Number(slices.resourceVersion ?? 0),
          slicesSince: Number(slices.changedVersion ?? 0),
        };
      }
      if (!isDiskUsed || !remembered) return undefined;
      return { services: remembered.services, slices: remembered.endpointSlices, revision: 0, slicesSince: 0 };
    },

    policyView() {
      const { policies, addressGroups: groups, pods } = watches();
      if (!isDiskUsed && !(policies.isSynced && groups.isSynced && pods.isSynced)) return undefined;
      return {
        ownPods: [...options.records()].flatMap(({ pod, address }) =>
          pod && address !== undefined ? [{ pod, address }] : [],
        ),
        policies: known(policies, remembered?.policies),
        groups: known(groups, remembered?.addressGroups),
      };
    },

    toRemember() {
      const { pods, nodes, services, endpointSlices, policies, addressGroups } = watches();
      const isEachRecorded = pods.isSynced || isDiskUsed;
      return {
        pods: isEachRecorded
          ? [...options.records()].flatMap((one) => (one.isDesired && one.pod ? [one.pod] : []))
          : (remembered?.pods ?? []),
        nodes: known(nodes, remembered?.nodes),
        services: known(services, remembered?.services),
        endpointSlices: known(endpointSlices, remembered?.endpointSlices),
        policies: known(policies, remembered?.policies),
        addressGroups: known(addressGroups, remembered?.addressGroups),
      };
    },

    stop: cancel,
  };
}

/** Before a server has listed them, those of the last run are the best that is known. */
function known<T extends ApiObject>(informer: Informer<T>, remembered: readonly T[] | undefined): readonly T[] {
  return informer.isSynced ? [...informer.list()] : (remembered ?? []);
}

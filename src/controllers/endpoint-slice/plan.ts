import type { ContainerPort, ServicePort } from 'kubernetes-types/core/v1.js';
import type { Endpoint, EndpointPort } from 'kubernetes-types/discovery/v1.js';
import { apiVersionOf } from '../../resources/kind.ts';
import { type EndpointSlice, endpointSlices, type Pod, type Service, services } from '../../resources/kinds.ts';
import { labels } from '../../resources/names.ts';
import { isPodFinished, isPodReady, isPodTerminating } from '../../resources/pod-facts.ts';
import { hasAllPorts, isHeadless } from '../../resources/service-facts.ts';
import { controllerRef } from '../owners.ts';
import { isServing } from '../pod-facts.ts';
import { shortHash } from '../pod-name.ts';
import { isSame } from '../same.ts';

export type EndpointSliceStep =
  | { readonly type: 'createSlice'; readonly slice: EndpointSlice }
  | { readonly type: 'updateSlice'; readonly slice: EndpointSlice }
  | { readonly type: 'deleteSlice'; readonly slice: EndpointSlice };

export interface EndpointSliceObservation {
  readonly service: Service;
  /** Pods of the namespace that its selector matches. */
  readonly pods: readonly Pod[];
  readonly trustIn: (nodeName: string) => NodeTrust;
  /** Slices that this controller made for it. */
  readonly slices: readonly EndpointSlice[];
}

/** `suspect`: silent for a few seconds, or its network does not follow changes. `held`: answers again, and its pods do not count yet, since it is lost so often. */
export type NodeTrust = 'sound' | 'suspect' | 'held';

export const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
export const managedBy = 'endpointslice-controller.flotilla.dev';
/** Kubernetes' upper bound is 1,000; a slice is sent whole on each change, and to every agent. */
const endpointsPerSlice = 100;

/** Slices as they must be, against those that are; nothing when equal. A slice is updated in place, so that names stay. */
export function planEndpointSlices(observed: EndpointSliceObservation): EndpointSliceStep[] {
  const { service, slices } = observed;
  if (service.metadata.deletionTimestamp) return []; // its slices go with it, by owner
  const desired = desiredSlices(observed);
  const steps: EndpointSliceStep[] = [];
  for (const slice of desired) {
    const known = slices.find((one) => one.metadata.name === slice.metadata.name);
    if (!known) steps.push({ type: 'createSlice', slice });
    else if (!isSameSlice(known, slice)) {
      steps.push({
        type: 'updateSlice',
        slice: {
          ...known,
          endpoints: slice.endpoints,
          ports: slice.ports ?? [],
          metadata: { ...known.metadata, labels: slice.metadata.labels ?? {} },
        },
      });
    }
  }
  const names = new Set(desired.map((slice) => slice.metadata.name));
  return [
    ...steps,
    ...slices.filter((one) => !names.has(one.metadata.name)).map((slice) => ({ type: 'deleteSlice' as const, slice })),
  ];
}

function desiredSlices({ service, pods, trustIn }: EndpointSliceObservation): EndpointSlice[] {
  const serves = servingPods(pods, trustIn);
  const groups = new Map<string, { family: 'IPv4' | 'IPv6'; ports: EndpointPort[]; endpoints: Endpoint[] }>();
  for (const pod of [...pods].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
    if (isPodFinished(pod)) continue;
    const ports = portsFor(service, pod);
    for (const address of addressesOf(pod)) {
      const family = address.includes(':') ? 'IPv6' : 'IPv4';
      const key = JSON.stringify([family, ports]);
      const group = groups.get(key) ?? { family, ports, endpoints: [] };
      group.endpoints.push(endpointOf(service, pod, address, serves.has(pod)));
      groups.set(key, group);
    }
  }
  // A service with nobody behind it has an empty slice: "no endpoints" is then an answer, and not a missing one.
  if (groups.size === 0) groups.set('', { family: 'IPv4', ports: [], endpoints: [] });
  return [...groups.entries()].flatMap(([key, group]) =>
    chunks(group.endpoints).map((endpoints, at) =>
      sliceOf(service, { ...group, endpoints }, `${isOnly(groups) ? '' : key}/${at}`),
    ),
  );
}

/** Ports differ between pods only with named target ports: the usual single group has a name that survives port edits. */
function isOnly(groups: ReadonlyMap<string, unknown>): boolean {
  return groups.size === 1;
}

function chunks(endpoints: Endpoint[]): Endpoint[][] {
  if (endpoints.length === 0) return [[]];
  return Array.from({ length: Math.ceil(endpoints.length / endpointsPerSlice) }, (_, at) =>
    endpoints.slice(at * endpointsPerSlice, (at + 1) * endpointsPerSlice),
  );
}

function sliceOf(
  service: Service,
  group: { family: 'IPv4' | 'IPv6'; ports: EndpointPort[]; endpoints: Endpoint[] },
  identity: string,
): EndpointSlice {
  // The address family of a slice cannot change: it is part of the name.
  const suffix = shortHash(`${service.metadata.uid ?? ''}/${group.family}/${identity}`, 5);
  return {
    apiVersion: apiVersionOf(endpointSlices),
    kind: endpointSlices.kind,
    metadata: {
      name: `${service.metadata.name}-${suffix}`,
      ...(service.metadata.namespace ? { namespace: service.metadata.namespace } : {}),
      labels: {
        ...service.metadata.labels,
        [labels.serviceName]: service.metadata.name,
        [managedByLabel]: managedBy,
        ...(isHeadless(service) ? { 'service.kubernetes.io/headless': '' } : {}),
      },
      ownerReferences: [controllerRef(services, service)],
    },
    addressType: group.family,
    endpoints: group.endpoints,
    ports: group.ports,
  };
}

function addressesOf(pod: Pod): string[] {
  const listed = (pod.status?.podIPs ?? []).flatMap((one) => (one.ip ? [one.ip] : []));
  return listed.length > 0 ? listed : pod.status?.podIP ? [pod.status.podIP] : [];
}

/**
 * Those that traffic may go to. Where the node is in doubt, only as long as there is nobody else: a suspicion must not take
 * the last endpoint from a service.
 */
function servingPods(pods: readonly Pod[], trustIn: (nodeName: string) => NodeTrust): ReadonlySet<Pod> {
  const sound = new Set<Pod>();
  const lastResort: Pod[] = [];
  for (const pod of pods) {
    const trust = trustIn(pod.spec.nodeName ?? '');
    if (isServing(pod) && trust !== 'suspect') sound.add(pod);
    else if (isServing(pod) || (isPodReady(pod) && trust === 'held')) lastResort.push(pod);
  }
  const isEnough = [...sound].some((pod) => !isPodTerminating(pod) && !isPodFinished(pod));
  return isEnough ? sound : new Set([...sound, ...lastResort]);
}

/**
 * Kubernetes' three facts. A pod of a lost node is neither ready nor serving, nor is one that stops: it is withdrawn
 * everywhere before it is told to.
 */
function endpointOf(service: Service, pod: Pod, address: string, isServing: boolean): Endpoint {
  const terminating = isPodTerminating(pod);
  const { hostname, subdomain, nodeName } = pod.spec;
  const isAlwaysReady = service.spec.publishNotReadyAddresses === true;
  return {
    addresses: [address],
    conditions: {
      ready: (isAlwaysReady || isServing) && !terminating,
      serving: isServing && !terminating,
      terminating,
    },
    ...(hostname && subdomain === service.metadata.name ? { hostname } : {}),
    ...(nodeName ? { nodeName } : {}),
    targetRef: {
      kind: 'Pod',
      ...(pod.metadata.namespace ? { namespace: pod.metadata.namespace } : {}),
      name: pod.metadata.name,
      ...(pod.metadata.uid ? { uid: pod.metadata.uid } : {}),
    },
  };
}

/**
 * A named target port that this pod does not have is left out, as Kubernetes does. An address that takes every port has none
 * in particular.
 */
function portsFor(service: Service, pod: Pod): EndpointPort[] {
  if (hasAllPorts(service)) return [];
  return (service.spec.ports ?? []).flatMap((port) => {
    const number = targetPort(port, pod);
    if (number === undefined) return [];
    return {
      name: port.name ?? '',
      port: number,
      protocol: port.protocol ?? 'TCP',
      ...(port.appProtocol ? { appProtocol: port.appProtocol } : {}),
    };
  });
}

function targetPort(port: ServicePort, pod: Pod): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target === 0 ? port.port : target;
  const containers = [
    ...pod.spec.containers,
    ...(pod.spec.initContainers ?? []).filter((one) => one.restartPolicy === 'Always'),
  ];
  const isMatch = (one: ContainerPort) => one.name === target && (one.protocol ?? 'TCP') === (port.protocol ?? 'TCP');
  return containers.flatMap((one) => one.ports ?? []).find(isMatch)?.containerPort;
}

function isSameSlice(known: EndpointSlice, desired: EndpointSlice): boolean {
  return (
    isSame(known.endpoints ?? [], desired.endpoints) &&
    isSame(known.ports ?? [], desired.ports ?? []) &&
    isSame(known.metadata.labels ?? {}, desired.metadata.labels ?? {})
  );
}

/** Whether names and service addresses send clients to a pod by this slice. */
export function usesPod(slice: EndpointSlice, podUid: string): boolean {
  return (slice.endpoints ?? []).some(
    ({ targetRef, conditions }) => targetRef?.uid === podUid && (conditions?.ready ?? true),
  );
}

import type { Service } from './kinds.ts';
import { annotations } from './names.ts';

/** Instead of an address: its name answers the pods' own addresses. One that says nothing is given an address (ADR 0021). */
export const headless = 'None';

export function serviceType(service: Pick<Service, 'spec'>): string {
  return service.spec.type || 'ClusterIP';
}

/** Its name answers the pods' own addresses. */
export function isHeadless({ spec }: Pick<Service, 'spec'>): boolean {
  return spec.clusterIP === headless || spec.clusterIPs?.[0] === headless;
}

/** All but names of something outside have an address, or say that they want none. */
export function needsClusterIP(service: Pick<Service, 'spec'>): boolean {
  return serviceType(service) !== 'ExternalName';
}

export function needsNodePorts(service: Pick<Service, 'spec'>): boolean {
  const type = serviceType(service);
  if (type === 'NodePort') return true;
  return type === 'LoadBalancer' && service.spec.allocateLoadBalancerNodePorts !== false;
}

/** Clients outside of the cluster may call it. */
export function isExternallyAccessible(service: Pick<Service, 'spec'>): boolean {
  const type = serviceType(service);
  if (type === 'NodePort' || type === 'LoadBalancer') return true;
  return type === 'ClusterIP' && (service.spec.externalIPs?.length ?? 0) > 0;
}

/** Its address takes every port and protocol; its `ports` are for readers. */
export function hasAllPorts(service: Pick<Service, 'metadata'>): boolean {
  return service.metadata.annotations?.[annotations.allPorts] === 'true';
}

/** Addresses of it that are in the service range. */
export function virtualAddresses({ spec }: Pick<Service, 'spec'>): readonly string[] {
  const listed = spec.clusterIPs?.length ? spec.clusterIPs : spec.clusterIP ? [spec.clusterIP] : [];
  return listed.filter((address) => address !== headless);
}

/** Ports of all nodes that are its own, each once. */
export function nodePortsOf({ spec }: Pick<Service, 'spec'>): readonly number[] {
  return [...new Set((spec.ports ?? []).flatMap((port) => (port.nodePort ? [port.nodePort] : [])))];
}

/** Addresses that the load balancer controller, or another one, has given it. */
export function balancerAddresses({ status }: Pick<Service, 'status'>): readonly string[] {
  return (status?.loadBalancer?.ingress ?? []).flatMap((one) => (one.ip ? [one.ip] : []));
}

import { jsonEqual } from './json.ts';
import type { Service } from './kinds.ts';
import { isExternallyAccessible, needsClusterIP, needsNodePorts, serviceType } from './service-facts.ts';

/**
 * What a writer means who leaves out what the server gave: an update with the very file that made the object succeeds, and
 * fields that another type has no use for go with the old type. As Kubernetes' patchAllocatedValues, NormalizeClusterIPs and
 * dropTypeDependentFields.
 */
export function prepareServiceUpdate(next: Service, old: Service): Service {
  const service: Service = { ...next, spec: { ...next.spec } };
  keepAllocated(service, old);
  normalizeAddresses(service, old);
  dropUseless(service, old);
  return service;
}

function keepAllocated({ spec }: Service, old: Service): void {
  if (needsClusterIP(old) && needsClusterIP({ spec })) {
    if (!spec.clusterIP && !spec.clusterIPs?.length) setOrDelete(spec, 'clusterIP', old.spec.clusterIP);
    if (!spec.clusterIPs?.length && spec.clusterIP === old.spec.clusterIP) {
      setOrDelete(spec, 'clusterIPs', old.spec.clusterIPs);
    }
    if (!spec.clusterIP && jsonEqual(spec.clusterIPs, old.spec.clusterIPs)) {
      setOrDelete(spec, 'clusterIP', old.spec.clusterIP);
    }
  }
  if (needsNodePorts(old) && needsNodePorts({ spec })) {
    const said = new Set((spec.ports ?? []).flatMap((port) => (port.nodePort ? [port.nodePort] : [])));
    const known = new Map((old.spec.ports ?? []).map((port) => [port.name ?? '', port.nodePort]));
    const ports = spec.ports?.map((port) => {
      const nodePort = known.get(port.name ?? '');
      return port.nodePort || !nodePort || said.has(nodePort) ? port : { ...port, nodePort };
    });
    setOrDelete(spec, 'ports', ports);
  }
}

/** A writer may know the singular field only. */
function normalizeAddresses({ spec }: Service, old: Service): void {
  const isListOld = jsonEqual(spec.clusterIPs ?? [], old.spec.clusterIPs ?? []);
  if (!spec.clusterIP && old.spec.clusterIP && isListOld) setOrDelete(spec, 'clusterIPs', undefined);
  else if (spec.clusterIP && spec.clusterIP !== old.spec.clusterIP && isListOld) spec.clusterIPs = [spec.clusterIP];
}

function dropUseless({ spec }: Service, old: Service): void {
  const service = { spec };
  const type = serviceType(service);
  if (needsClusterIP(old) && !needsClusterIP(service)) {
    for (const field of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy'] as const) {
      if (jsonEqual(spec[field], old.spec[field])) delete spec[field];
    }
  }
  if (needsNodePorts(old) && !needsNodePorts(service)) {
    const portsOf = (one: Service['spec']) => (one.ports ?? []).map((port) => port.nodePort ?? 0);
    if (type === 'ClusterIP' || type === 'ExternalName') {
      if (jsonEqual(portsOf(spec).filter(Boolean), portsOf(old.spec).filter(Boolean))) {
        setOrDelete(
          spec,
          'ports',
          spec.ports?.map(({ nodePort: _, ...port }) => port),
        );
      }
    }
  }
  if (serviceType(old) === 'LoadBalancer' && type !== 'LoadBalancer') {
    for (const field of ['allocateLoadBalancerNodePorts', 'loadBalancerClass'] as const) {
      if (jsonEqual(spec[field], old.spec[field])) delete spec[field];
    }
  }
  if (isExternallyAccessible(old) && !isExternallyAccessible(service)) {
    if (spec.externalTrafficPolicy === old.spec.externalTrafficPolicy) delete spec.externalTrafficPolicy;
  }
}

function setOrDelete<K extends keyof Service['spec']>(
  spec: Service['spec'],
  field: K,
  value: Service['spec'][K] | undefined,
): void {
  if (value === undefined) delete spec[field];
  else spec[field] = value;
}

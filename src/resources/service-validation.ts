// What the fields of a Service object cannot tell alone, in Kubernetes' words.
import { isIPv4 } from 'node:net';
import { parseIPv4 } from '../lib/cidr.ts';
import { duplicate, forbidden, invalid, required } from './field-errors.ts';
import type { Service } from './kinds.ts';
import { dnsSubdomain, ipAddress, ipRange } from './name-checks.ts';
import { annotations } from './names.ts';
import type { FieldError } from './schema.ts';
import { hasAllPorts, headless, isExternallyAccessible, isHeadless, serviceType } from './service-facts.ts';

const maxAffinitySeconds = 86_400;

export function validateService(service: Service, errors: FieldError[]): void {
  validateType(service, errors);
  validateAddresses(service, errors);
  validatePorts(service, errors);
  validateAffinity(service, errors);
  validateOutside(service, errors);
}

function validateType(service: Service, errors: FieldError[]): void {
  const { spec } = service;
  const type = serviceType(service);
  if (!spec.ports?.length && !isHeadless(service) && type !== 'ExternalName' && !hasAllPorts(service)) {
    errors.push(required('spec.ports'));
  }
  if (isHeadless(service) && (type === 'LoadBalancer' || type === 'NodePort')) {
    errors.push(invalid('spec.clusterIPs[0]', headless, `may not be set to 'None' for ${type} services`));
  }
  if (type === 'ExternalName') {
    for (const field of ['clusterIPs', 'ipFamilies', 'ipFamilyPolicy'] as const) {
      const value = spec[field];
      if (value?.length) errors.push(forbidden(`spec.${field}`, 'may not be set for ExternalName services'));
    }
    const name = (spec.externalName ?? '').replace(/\.$/, '');
    if (name === '') errors.push(required('spec.externalName'));
    for (const problem of name === '' ? [] : dnsSubdomain(name))
      errors.push(invalid('spec.externalName', name, problem));
  }
  if (hasAllPorts(service) && type !== 'ClusterIP') {
    const path = `metadata.annotations[${annotations.allPorts}]`;
    errors.push(forbidden(path, "may only be used when `type` is 'ClusterIP'"));
  }
}

function validateAddresses({ spec }: Service, errors: FieldError[]): void {
  const { clusterIP, clusterIPs = [] } = spec;
  if (clusterIP && clusterIPs.length === 0) errors.push(required('spec.clusterIPs'));
  if (clusterIPs.length > 0 && clusterIPs[0] !== (clusterIP ?? '')) {
    errors.push(invalid('spec.clusterIPs', clusterIPs, 'first value must match `clusterIP`'));
  }
  if (clusterIPs.length > 2) errors.push(invalid('spec.clusterIPs', clusterIPs, 'may only hold up to 2 values'));
  else if (clusterIPs.length === 2) {
    if (clusterIPs.includes(headless)) {
      errors.push(invalid('spec.clusterIPs', clusterIPs, "'None' must be the first and only value"));
    } else
      errors.push(forbidden('spec.clusterIPs[1]', 'not supported by Flotilla: leave it out; pods have IPv4 addresses'));
  }
  for (const [index, address] of clusterIPs.slice(0, 1).entries()) {
    if (address === headless || isIPv4(address)) continue;
    const [problem = 'not supported by Flotilla: services have IPv4 addresses'] = ipAddress(address);
    errors.push(invalid(`spec.clusterIPs[${index}]`, address, problem));
  }
}

function validatePorts(service: Service, errors: FieldError[]): void {
  const { ports = [] } = service.spec;
  const type = serviceType(service);
  const seen = { names: new Set<string>(), ports: new Set<string>(), nodePorts: new Set<string>() };
  for (const [index, { name, port, protocol = 'TCP', targetPort, nodePort }] of ports.entries()) {
    const at = `spec.ports[${index}]`;
    if (!name && ports.length > 1) errors.push(required(`${at}.name`));
    if (name && seen.names.has(name)) errors.push(duplicate(`${at}.name`, name));
    if (seen.ports.has(`${port}/${protocol}`)) errors.push(duplicate(at, { port, protocol }));
    if (name) seen.names.add(name);
    seen.ports.add(`${port}/${protocol}`);
    if (hasAllPorts(service) && targetPort !== undefined && targetPort !== port) {
      errors.push(
        invalid(`${at}.targetPort`, targetPort, `must be the port itself: ${annotations.allPorts} changes none`),
      );
    }
    if (!nodePort) continue;
    if (type === 'ClusterIP' || type === 'ExternalName') {
      errors.push(forbidden(`${at}.nodePort`, `may not be used when \`type\` is '${type}'`));
    } else if (nodePort < 1 || nodePort > 65_535) {
      errors.push(invalid(`${at}.nodePort`, nodePort, 'must be between 1 and 65535, inclusive'));
    }
    if (seen.nodePorts.has(`${nodePort}/${protocol}`)) errors.push(duplicate(`${at}.nodePort`, nodePort));
    seen.nodePorts.add(`${nodePort}/${protocol}`);
  }
}

function validateAffinity({ spec }: Service, errors: FieldError[]): void {
  if (spec.sessionAffinity !== 'ClientIP') return;
  const path = 'spec.sessionAffinityConfig.clientIP.timeoutSeconds';
  const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (seconds === undefined) errors.push(required(path, 'when session affinity type is ClientIP'));
  else if (seconds <= 0 || seconds > maxAffinitySeconds) {
    errors.push(invalid(path, seconds, `must be greater than 0 and less than ${maxAffinitySeconds}`));
  }
}

const onlyBalancers = "may only be used when `type` is 'LoadBalancer'";

function validateOutside(service: Service, errors: FieldError[]): void {
  const { spec } = service;
  const isBalancer = serviceType(service) === 'LoadBalancer';
  for (const [index, address] of (spec.externalIPs ?? []).entries()) {
    for (const problem of externalAddressProblems(address)) {
      errors.push(invalid(`spec.externalIPs[${index}]`, address, problem));
    }
  }
  if (spec.externalTrafficPolicy && !isExternallyAccessible(service)) {
    const path = 'spec.externalTrafficPolicy';
    errors.push(invalid(path, spec.externalTrafficPolicy, 'may only be set for externally-accessible services'));
  }
  if (!isBalancer) {
    if (spec.loadBalancerSourceRanges?.length) errors.push(forbidden('spec.loadBalancerSourceRanges', onlyBalancers));
    if (spec.loadBalancerClass) errors.push(forbidden('spec.loadBalancerClass', onlyBalancers));
    if (spec.allocateLoadBalancerNodePorts !== undefined) {
      errors.push(forbidden('spec.allocateLoadBalancerNodePorts', onlyBalancers));
    }
  }
  for (const [index, range] of (spec.loadBalancerSourceRanges ?? []).entries()) {
    for (const problem of ipRange(range.trim())) {
      errors.push(invalid(`spec.loadBalancerSourceRanges[${index}]`, range, problem));
    }
  }
}

const specialRanges: readonly (readonly [first: string, bits: number, problem: string])[] = [
  ['127.0.0.0', 8, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'],
  ['169.254.0.0', 16, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'],
  ['224.0.0.0', 24, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'],
];

function externalAddressProblems(address: string): readonly string[] {
  const problems = ipAddress(address);
  if (problems.length > 0) return problems;
  const value = parseIPv4(address);
  if (value === undefined) return ['not supported by Flotilla: services have IPv4 addresses'];
  if (value === 0) return ['may not be unspecified (0.0.0.0)'];
  return specialRanges.flatMap(([first, bits, problem]) => {
    const size = 2 ** (32 - bits);
    return Math.floor(value / size) === Math.floor((parseIPv4(first) ?? 0) / size) ? [problem] : [];
  });
}

/** Addresses are for ever, unless a Service object becomes a name of something outside, or was one. */
export function validateServiceUpdate(service: Service, old: Service, errors: FieldError[]): void {
  if (serviceType(service) === 'ExternalName' || serviceType(old) === 'ExternalName') return;
  if (isHeadless(service) && isHeadless(old)) return;
  const [next = [], was = []] = [service.spec.clusterIPs, old.spec.clusterIPs];
  if (was.length > 0 && next.length === 0) {
    errors.push(invalid('spec.clusterIPs[0]', next, 'primary clusterIP can not be unset'));
  } else if (was.length > 0 && next[0] !== was[0]) {
    errors.push(invalid('spec.clusterIPs[0]', next, 'may not change once set'));
  }
  if (old.spec.loadBalancerClass && serviceType(old) === 'LoadBalancer' && serviceType(service) === 'LoadBalancer') {
    if (service.spec.loadBalancerClass !== old.spec.loadBalancerClass) {
      const value = service.spec.loadBalancerClass;
      errors.push(invalid('spec.loadBalancerClass', value ?? null, 'may not change once set'));
    }
  }
}

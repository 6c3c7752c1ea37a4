import type { Service } from './kinds.ts';
import { hasAllPorts, serviceType } from './service-facts.ts';

/** A port of a Service object, as an Ingress object names it. */
export interface WantedPort {
  readonly name?: string;
  readonly number?: number;
}

/** Where its connections go: a port of its slices by name, or, on a service that takes every port, a number. */
export type TargetPort = { readonly portName: string } | { readonly number: number };

/** Throws nothing: a sentence says why there is no such target. */
export function targetOf(service: Service, wanted: WantedPort): TargetPort | { readonly problem: string } {
  const { namespace = '', name } = service.metadata;
  if (serviceType(service) === 'ExternalName') {
    return {
      problem: `Service ${namespace}/${name} is a name of something outside (ExternalName), which is not let in`,
    };
  }
  const ports = (service.spec.ports ?? []).filter(({ protocol = 'TCP' }) => protocol === 'TCP');
  const found = ports.find((port) =>
    wanted.name === undefined ? port.port === wanted.number : (port.name ?? '') === wanted.name,
  );
  // Its ports are for readers: slices of such a service name none.
  const number = hasAllPorts(service) ? (wanted.number ?? found?.port) : undefined;
  if (number !== undefined) return { number };
  if (found) return { portName: found.name ?? '' };
  const known = ports.map(({ name: one, port }) => (one ? `${port} (${one})` : String(port))).join(', ');
  return {
    problem: `Service ${namespace}/${name} has no TCP port ${wanted.name ?? wanted.number}; it has ${known || 'none'}`,
  };
}

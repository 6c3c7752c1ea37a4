import { type AddressRange, contains, formatIPv4, parseAddressRange, parseIPv4 } from '../../lib/cidr.ts';
import type { Service } from '../../resources/kinds.ts';
import { serviceConditions } from '../../resources/names.ts';
import { balancerAddresses, serviceType } from '../../resources/service-facts.ts';

/** `loadBalancerClass` of Service objects that want an address of the grid's pool; so do those without a class. */
export const ownBalancerClass = 'flotilla.dev/pool';

export type BalancerStep =
  | { readonly type: 'give'; readonly service: Service; readonly address: string }
  /** It is of another type now. */
  | { readonly type: 'take'; readonly service: Service }
  /** It can have none: said once, tried again with each change. */
  | { readonly type: 'refuse'; readonly service: Service; readonly reason: RefusalReason; readonly message: string };

export type RefusalReason = 'NoPool' | 'PoolExhausted' | 'NotInPool' | 'InUse';

export interface BalancerObservation {
  /** All that are of type LoadBalancer, or were while this controller looked. */
  readonly services: readonly Service[];
  /** `Grid.spec.network.loadBalancerPool`. */
  readonly pool: readonly string[];
}

/**
 * An address of the pool for each Service object of type LoadBalancer. What one has it keeps, while it is in the pool and
 * nobody else has it, across leaders and restarts: its status is the only record. The oldest first.
 */
export function planBalancers({ services, pool }: BalancerObservation): BalancerStep[] {
  const ranges = pool.flatMap((text) => parseAddressRange(text) ?? []);
  const holders = new Map<number, Service>();
  const steps: BalancerStep[] = [];
  const waiting: Service[] = [];
  for (const service of [...services].sort(byAge)) {
    if (serviceType(service) !== 'LoadBalancer') {
      if (conditionOf(service)) steps.push({ type: 'take', service }); // what others wrote is theirs
      continue;
    }
    const [address, ...more] = balancerAddresses(service).flatMap((text) => parseIPv4(text) ?? []);
    if (!isOurs(service)) {
      // Another controller may use a part of the same network.
      for (const one of [address, ...more]) if (one !== undefined) holders.set(one, service);
      continue;
    }
    const isKept =
      address !== undefined &&
      more.length === 0 &&
      isIn(ranges, address) &&
      !holders.has(address) &&
      (!service.spec.loadBalancerIP || service.spec.loadBalancerIP === formatIPv4(address));
    if (isKept) holders.set(address, service);
    if (!isKept || !saysGiven(service)) waiting.push(service);
  }
  for (const service of waiting) {
    const own = ownAddress(service, holders);
    const answer = own === undefined ? findAddress(service, { ranges, pool, holders }) : own;
    if (typeof answer === 'number') {
      holders.set(answer, service);
      steps.push({ type: 'give', service, address: formatIPv4(answer) });
    } else if (!service.metadata.deletionTimestamp && !saysRefused(service, answer)) {
      steps.push({ type: 'refuse', service, ...answer });
    }
  }
  return steps;
}

interface Refusal {
  readonly reason: RefusalReason;
  readonly message: string;
}

interface Room {
  readonly ranges: readonly AddressRange[];
  readonly pool: readonly string[];
  readonly holders: ReadonlyMap<number, Service>;
}

function findAddress(service: Service, { ranges, pool, holders }: Room): number | Refusal {
  if (ranges.length === 0) {
    const how = 'flotilla grid set --load-balancer-pool 10.0.8.10-10.0.8.20';
    return { reason: 'NoPool', message: `the grid has no pool of addresses for load balancers: ${how}` };
  }
  const wanted = service.spec.loadBalancerIP;
  if (wanted) {
    const address = parseIPv4(wanted);
    if (address === undefined || !isIn(ranges, address)) {
      return { reason: 'NotInPool', message: `loadBalancerIP ${wanted} is not in the grid's pool ${pool.join(', ')}` };
    }
    const holder = holders.get(address);
    if (!holder || holder === service) return address;
    const { namespace, name } = holder.metadata;
    return { reason: 'InUse', message: `loadBalancerIP ${wanted} belongs to Service ${namespace}/${name}` };
  }
  for (const { first, last } of ranges) {
    for (let address = first; address <= last; address++) if (!holders.has(address)) return address;
  }
  const message = `all ${holders.size} addresses of the grid's pool ${pool.join(', ')} are in use`;
  return { reason: 'PoolExhausted', message };
}

function ownAddress(service: Service, holders: ReadonlyMap<number, Service>): number | undefined {
  return [...holders].find(([, holder]) => holder === service)?.[0];
}

function isIn(ranges: readonly AddressRange[], address: number): boolean {
  return ranges.some((range) => contains(range, address));
}

function isOurs({ spec }: Service): boolean {
  return (spec.loadBalancerClass ?? ownBalancerClass) === ownBalancerClass;
}

function conditionOf({ status }: Service) {
  return status?.conditions?.find((one) => one.type === serviceConditions.addressGiven);
}

/** Of type LoadBalancer, or with something of ours in its status. */
export function isOrWasBalancer(service: Service): boolean {
  return serviceType(service) === 'LoadBalancer' || conditionOf(service) !== undefined;
}

function saysGiven(service: Service): boolean {
  return conditionOf(service)?.status === 'True';
}

/** It has no address, and says why. */
function saysRefused(service: Service, { reason, message }: Refusal): boolean {
  const said = conditionOf(service);
  const isEmpty = balancerAddresses(service).length === 0;
  return isEmpty && said?.status === 'False' && said.reason === reason && said.message === message;
}

function byAge(a: Service, b: Service): number {
  const keyOf = ({ metadata }: Service) =>
    `${metadata.creationTimestamp ?? '9'} ${metadata.namespace ?? ''}/${metadata.name}`;
  return keyOf(a) < keyOf(b) ? -1 : 1;
}

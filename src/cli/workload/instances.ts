import { FlotillaError } from '../../lib/errors.ts';
import { isPodLeaving } from '../../resources/eviction-surge.ts';
import type { Deployment, Pod, Stack } from '../../resources/kinds.ts';
import { annotations, labels } from '../../resources/names.ts';
import { hasSeveralContainers } from '../../resources/pod-containers.ts';
import { isPodLost, isPodReady } from '../../resources/pod-facts.ts';
import { podStatusWord } from '../../resources/pod-printer.ts';

/** A pod as users of stacks see it. */
export interface Instance {
  readonly stack: string;
  readonly service: string;
  readonly pod: Pod;
}

/** A pod that no stack made belongs to the stack `default`, under the name of its ReplicaSet's Deployment or its own. */
export function instanceOf(pod: Pod): Instance {
  const own = pod.metadata.labels ?? {};
  const controller = pod.metadata.ownerReferences?.find((owner) => owner.controller);
  const hash = own[labels.podTemplateHash];
  const made = controller && hash ? controller.name.replace(new RegExp(`-${hash}$`), '') : controller?.name;
  return { stack: own[labels.stack] ?? 'default', service: own[labels.service] ?? made ?? pod.metadata.name, pod };
}

/** By stack, service, name. */
export function sortInstances(all: readonly Instance[]): Instance[] {
  const key = (one: Instance) => `${one.stack}\0${one.service}\0${one.pod.metadata.name}`;
  return [...all].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** One word (or Kubernetes' reason) for what a pod is doing. */
export function statusOf(pod: Pod): string {
  if (isPodLost(pod)) return 'Lost';
  if (pod.metadata.deletionTimestamp) return 'Stopping';
  if (isPodLeaving(pod)) return 'Leaving';
  if (pod.spec.nodeName && hasSeveralContainers(pod)) return podStatusWord(pod);
  const container = pod.status?.containerStatuses?.[0]?.state;
  if (container?.waiting?.reason) return container.waiting.reason;
  if (container?.terminated) return container.terminated.reason ?? `Exited (${container.terminated.exitCode})`;
  if ((pod.status?.phase ?? 'Pending') === 'Pending') return pod.spec.nodeName ? 'Starting' : 'Pending';
  return pod.status?.phase ?? 'Pending';
}

export function readyOf(pod: Pod): string {
  return isPodReady(pod) && !isPodLost(pod) ? 'yes' : 'no';
}

export function restartsOf(pod: Pod): number {
  return (pod.status?.containerStatuses ?? []).reduce((sum, one) => sum + (one.restartCount ?? 0), 0);
}

interface BoundPort {
  readonly containerPort: number;
  readonly hostPort: number;
  readonly protocol: string;
}

/** `10.0.0.1:8080→80/tcp`, of what can be reached from outside. */
export function portsOf(pod: Pod): string {
  const fixed = pod.spec.containers.flatMap((container) => container.ports ?? []).filter((port) => port.hostPort);
  const bound = parseBound(pod.metadata.annotations?.[annotations.boundHostPorts]);
  const all: BoundPort[] = [
    ...bound,
    ...fixed
      .map((port) => ({
        containerPort: port.containerPort,
        hostPort: port.hostPort ?? 0,
        protocol: port.protocol ?? 'TCP',
      }))
      .filter((port) => !bound.some((one) => one.hostPort === port.hostPort && one.protocol === port.protocol)),
  ];
  const host = pod.status?.hostIP ? `${pod.status.hostIP}:` : '';
  return all.map((port) => `${host}${port.hostPort}→${port.containerPort}/${port.protocol.toLowerCase()}`).join(', ');
}

function parseBound(text: string | undefined): BoundPort[] {
  if (!text) return [];
  try {
    return JSON.parse(text) as BoundPort[];
  } catch {
    return []; // written by another version of the agent
  }
}

/**
 * `web`, `shop/web`, or an instance's name → its pods. Throws NotFound when nothing matches, BadUsage when services of
 * several stacks do.
 */
export function selectInstances(all: readonly Instance[], target: string): Instance[] {
  const [stack, service] = target.includes('/') ? target.split('/', 2) : [undefined, target];
  const byName = all.filter((one) => one.pod.metadata.name === service && (stack === undefined || one.stack === stack));
  if (byName.length > 0) return byName;
  const found = all.filter((one) => one.service === service && (stack === undefined || one.stack === stack));
  const whole = found.length === 0 && stack === undefined ? all.filter((one) => one.stack === target) : [];
  if (found.length === 0 && whole.length === 0) {
    throw new FlotillaError('NotFound', `nothing is called "${target}"`, {
      hint: 'flotilla ps shows all services and instances',
    });
  }
  const stacks = new Set(found.map((one) => one.stack));
  if (stacks.size > 1) throw ambiguous(target, [...stacks]);
  return found.length > 0 ? found : whole;
}

export function ambiguous(service: string, stacks: readonly string[]): FlotillaError {
  return new FlotillaError('BadUsage', `several stacks have a service "${service}"`, {
    hint: `say which: ${[...stacks]
      .sort()
      .map((stack) => `${stack}/${service}`)
      .join(', ')}`,
  });
}

export type ScaleTarget =
  | { readonly type: 'stack'; readonly stack: Stack; readonly service: string }
  | { readonly type: 'deployment'; readonly deployment: Deployment };

/** The service of a stack, or a Deployment that no stack made. */
export function findScaleTarget(
  stacks: readonly Stack[],
  deployments: readonly Deployment[],
  target: string,
): ScaleTarget {
  const [wantedStack, service = ''] = target.includes('/') ? target.split('/', 2) : [undefined, target];
  const inStacks = stacks.filter(
    (stack) =>
      Object.hasOwn(stack.spec.services, service) && (wantedStack === undefined || stack.metadata.name === wantedStack),
  );
  const plain = deployments.filter(
    (one) =>
      one.metadata.name === service &&
      one.metadata.labels?.[labels.stack] === undefined &&
      (wantedStack === undefined || wantedStack === 'default' || wantedStack === one.metadata.namespace),
  );
  if (inStacks.length + plain.length > 1)
    throw ambiguous(service, [...inStacks.map((one) => one.metadata.name), ...plain.map(() => 'default')]);
  const [stack] = inStacks;
  const [deployment] = plain;
  if (stack) return { type: 'stack', stack, service };
  if (deployment) return { type: 'deployment', deployment };
  throw new FlotillaError('NotFound', `there is no service "${target}"`, {
    hint: 'flotilla stack ls and flotilla ps show what there is',
  });
}

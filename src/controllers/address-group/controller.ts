import { formatIPv4, parseCidr } from '../../lib/cidr.ts';
import type { WorkResult } from '../../lib/work-queue.ts';
import {
  type GroupSelector,
  groupNameOf,
  hostsSelector,
  type NamedPort,
  namedPortsOf,
} from '../../resources/address-groups.ts';
import {
  type AddressGroup,
  addressGroups as groupKind,
  type Node,
  namespaces as namespaceKind,
  nodes as nodeKind,
  type Pod,
  pods as podKind,
  networkPolicies as policyKind,
} from '../../resources/kinds.ts';
import { labels } from '../../resources/names.ts';
import { isPodFinished } from '../../resources/pod-facts.ts';
import { matchesSelector } from '../../resources/selectors.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { createObjectWriter } from '../object-writer.ts';
import { startReconciler } from '../reconciler.ts';
import { isSame } from '../same.ts';
import { planAddressGroup } from './plan.ts';
import { WantedGroups } from './wanted-groups.ts';

const hosts = groupNameOf(hostsSelector);

/**
 * Finds the pods that network policies name as peers, and writes their addresses for the nodes, which know their own pods only.
 * No debounce: a key that is being written runs once more afterwards. Writes: AddressGroup.
 */
export function startAddressGroupController(context: ControllerContext): RunningController {
  const { informers } = context;
  const policies = informers.of(policyKind);
  const pods = informers.of(podKind);
  const namespaces = informers.of(namespaceKind);
  const nodes = informers.of(nodeKind);
  const groups = informers.of(groupKind);
  const writer = createObjectWriter(context.client);
  const wanted = new WantedGroups();
  pods.index('namespace', (pod) => [pod.metadata.namespace ?? '']);
  groups.index('group', (part) => [groupOf(part)]);

  const queue = startReconciler({ name: 'address-group', context, reconcile });
  const queueAll = (names: Iterable<string>) => {
    for (const name of names) queue.add(name);
  };
  policies.onChange((key, policy) => queueAll(wanted.setPolicy(key, policy)));
  groups.onChange((_key, part, old) => queueAll([part, old].flatMap((one) => (one ? [groupOf(one)] : []))));
  pods.onChange((_key, pod, old) => {
    if (pod && old && isSameMember(pod, old)) return;
    for (const one of [pod, old]) {
      if (one) queueAll(wanted.of(one, namespaces.get(one.metadata.namespace ?? '')?.metadata.labels));
    }
  });
  namespaces.onChange((_key, namespace, old) => {
    if (namespace && old && isSame(namespace.metadata.labels, old.metadata.labels)) return;
    for (const one of [namespace, old]) if (one) queueAll(wanted.ofNamespace(one));
  });
  nodes.onChange((_key, node, old) => {
    if (gatewayOf(node) !== gatewayOf(old)) queue.add(hosts);
  });

  async function reconcile(name: string, signal: AbortSignal): Promise<WorkResult> {
    const selector = wanted.selector(name);
    const parts = groups.byIndex('group', name);
    if (!selector && parts.length === 0) return;
    const steps = planAddressGroup({ name, selector, members: selector ? membersOf(selector) : new Map(), parts });
    for (const step of steps) {
      if (step.type === 'createPart') await writer.create(groups, step.part, signal);
      else if (step.type === 'updatePart') await writer.update(groups, step.part, signal);
      else await writer.remove(groups, step.part, { signal });
    }
  }

  function membersOf(selector: GroupSelector): Map<string, readonly NamedPort[]> {
    const members = new Map<string, readonly NamedPort[]>();
    if (selector.hosts) {
      for (const node of nodes.list()) {
        const gateway = gatewayOf(node);
        if (gateway !== undefined) members.set(gateway, []);
      }
      return members;
    }
    const { podSelector } = selector;
    for (const namespace of namespacesOf(selector)) {
      for (const pod of pods.byIndex('namespace', namespace)) {
        if (podSelector && !matchesSelector(podSelector, pod.metadata.labels)) continue;
        const addresses = addressesOf(pod);
        if (addresses.length === 0) continue;
        const ports = namedPortsOf(pod);
        for (const address of addresses) members.set(address, ports);
      }
    }
    return members;
  }

  function namespacesOf({ namespace, namespaceSelector }: GroupSelector): string[] {
    if (namespace !== undefined) return [namespace];
    return [...namespaces.list()].flatMap(({ metadata }) =>
      matchesSelector(namespaceSelector, metadata.labels) ? [metadata.name] : [],
    );
  }

  return { stop: () => queue.stop() };
}

function groupOf(part: AddressGroup): string {
  return part.metadata.labels?.[labels.addressGroup] ?? part.metadata.name.replace(/-\d+$/, '');
}

/** Until it has ended: a pod that is stopping still finishes what it does. Pods in the network of the node have its address. */
function addressesOf(pod: Pod): string[] {
  if (isPodFinished(pod) || pod.spec.hostNetwork) return [];
  return pod.status?.podIPs?.flatMap(({ ip }) => (ip ? [ip] : [])) ?? [];
}

function isSameMember(pod: Pod, old: Pod): boolean {
  return (
    pod.metadata.uid === old.metadata.uid &&
    isSame(addressesOf(pod), addressesOf(old)) &&
    isSame(pod.metadata.labels, old.metadata.labels)
  );
}

/** The address from which a node calls pods: the first of its share. */
function gatewayOf(node: Node | undefined): string | undefined {
  const network = parseCidr(node?.spec.podCIDRs?.[0] ?? '');
  return network && formatIPv4(network.first + 1);
}

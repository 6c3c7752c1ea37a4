import { ageColumn, column, defineKind, nameColumn, statusSubresource } from '../define-kind.ts';
import { duplicate, forbidden, invalid } from '../field-errors.ts';
import type { Node } from '../kinds.ts';
import { conditionList, objectMeta } from '../meta.ts';
import { ipRange, labelValue, qualifiedName } from '../name-checks.ts';
import { field, listOf, mapOf, message, unsupported } from '../schema.ts';

const identity = { group: '', version: 'v1', kind: 'Node', plural: 'nodes' };

const taintWarnings: Readonly<Record<string, string>> = {
  PreferNoSchedule: 'PreferNoSchedule changes nothing here: use NoSchedule',
};

const taint = message(
  'Taint',
  {
    key: field(1, 'string', { required: true, check: qualifiedName }),
    value: field(2, 'string', { check: labelValue }),
    effect: field(3, 'string', { required: true, allowed: ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] }),
    timeAdded: field(4, 'time'),
  },
  {
    warn: ({ effect }: { effect?: string }, path, warnings) => {
      const sentence = taintWarnings[effect ?? ''];
      if (sentence !== undefined) warnings.push(`${path}: ${sentence}`);
    },
  },
);

const nodeSpec = message('NodeSpec', {
  podCIDR: field(1, 'string', { check: ipRange, description: 'The first of podCIDRs.' }),
  externalID: unsupported(2, 'leave it out', { type: 'string' }),
  providerID: field(3, 'string', { description: 'Who the machine is to whoever made it; carried for readers.' }),
  unschedulable: field(4, 'bool', { description: 'No new pods are placed here.' }),
  taints: field(5, listOf(taint)),
  configSource: unsupported(6, 'configure the agent on its host'),
  podCIDRs: field(7, listOf('string'), {
    patchStrategy: 'merge',
    listType: 'set',
    description: 'Address ranges of the node’s pods; written once, by the node range controller.',
  }),
  podPreemptionPolicy: unsupported(8, 'leave it out; pods have no priorities'),
});

const nodeCondition = message('NodeCondition', {
  type: field(1, 'string'),
  status: field(2, 'string'),
  lastHeartbeatTime: field(3, 'time'),
  lastTransitionTime: field(4, 'time'),
  reason: field(5, 'string'),
  message: field(6, 'string'),
});

const nodeAddress = message('NodeAddress', { type: field(1, 'string'), address: field(2, 'string') });

const nodeSystemInfo = message('NodeSystemInfo', {
  machineID: field(1, 'string'),
  systemUUID: field(2, 'string'),
  bootID: field(3, 'string'),
  kernelVersion: field(4, 'string'),
  osImage: field(5, 'string'),
  containerRuntimeVersion: field(6, 'string'),
  kubeletVersion: field(7, 'string'),
  kubeProxyVersion: field(8, 'string'),
  operatingSystem: field(9, 'string'),
  architecture: field(10, 'string'),
  swap: field(11, 'any'),
});

const nodeStatus = message('NodeStatus', {
  capacity: field(1, mapOf('quantity')),
  allocatable: field(2, mapOf('quantity')),
  phase: field(3, 'string'),
  conditions: field(4, listOf(nodeCondition), conditionList),
  addresses: field(5, listOf(nodeAddress), { mergeKey: 'type', mapKeys: ['type'] }),
  daemonEndpoints: field(6, 'any'),
  nodeInfo: field(7, nodeSystemInfo),
  images: field(
    8,
    listOf(message('ContainerImage', { names: field(1, listOf('string')), sizeBytes: field(2, 'int64') })),
  ),
  volumesInUse: field(9, listOf('string')),
  volumesAttached: field(10, listOf('any')),
  config: field(11, 'any'),
  runtimeHandlers: field(12, listOf('any')),
  features: field(13, 'any'),
  declaredFeatures: field(14, listOf('string')),
});

export const nodes = defineKind<Node>({
  ...identity,
  shortNames: ['no'],
  namespaced: false,
  subresources: [statusSubresource(identity)],
  message: message('Node', {
    metadata: field(1, objectMeta),
    spec: field(2, nodeSpec, { default: {} }),
    status: field(3, nodeStatus),
  }),
  selectableFields: { 'spec.unschedulable': (node) => String(node.spec.unschedulable ?? false) },
  columns: [
    nameColumn(),
    column('Status', 'Ready or NotReady; SchedulingDisabled while it is drained.', statusOf),
    column('Roles', 'From its labels node-role.kubernetes.io/….', rolesOf),
    ageColumn(),
    column('Version', 'Of the agent.', (node) => node.status?.nodeInfo?.kubeletVersion ?? ''),
    column('Internal-IP', 'Address among the nodes.', (node) => addressOf(node, 'InternalIP'), { priority: 1 }),
    column('External-IP', 'Address for everybody else.', (node) => addressOf(node, 'ExternalIP'), { priority: 1 }),
    column('OS-Image', 'The operating system.', (node) => node.status?.nodeInfo?.osImage || '<unknown>', {
      priority: 1,
    }),
    column('Kernel-Version', 'The kernel.', (node) => node.status?.nodeInfo?.kernelVersion || '<unknown>', {
      priority: 1,
    }),
    column(
      'Container-Runtime',
      'The engine and its version.',
      (node) => node.status?.nodeInfo?.containerRuntimeVersion || '<unknown>',
      { priority: 1 },
    ),
  ],
  // An agent registers its node together with what it has seen of it.
  prepareForCreate: (node) => node,
  validate: (node, errors) => {
    node.spec.podCIDRs?.forEach((range, index) => {
      for (const problem of ipRange(range)) errors.push(invalid(`spec.podCIDRs[${index}]`, range, problem));
    });
    const seen = new Set<string>();
    node.spec.taints?.forEach((one, index) => {
      const key = `${one.key}:${one.effect}`;
      if (seen.has(key)) {
        errors.push(duplicate(`spec.taints[${index}]`, one, 'taints must be unique by key and effect pair'));
      }
      seen.add(key);
    });
  },
  validateUpdate: (node, old, errors) => {
    const ranges = old.spec.podCIDRs ?? [];
    if (ranges.length > 0 && String(ranges) !== String(node.spec.podCIDRs ?? [])) {
      errors.push(forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid'));
    }
    if (old.spec.providerID && old.spec.providerID !== node.spec.providerID) {
      errors.push(forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid'));
    }
  },
});

function statusOf(node: Node): string {
  const ready = node.status?.conditions?.find((one) => one.type === 'Ready');
  const word = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return node.spec.unschedulable ? `${word},SchedulingDisabled` : word;
}

function rolesOf(node: Node): string {
  const prefix = 'node-role.kubernetes.io/';
  const roles = Object.entries(node.metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key === 'kubernetes.io/role') return value === '' ? [] : [value];
    return key.startsWith(prefix) && key.length > prefix.length ? [key.slice(prefix.length)] : [];
  });
  return [...new Set(roles)].sort().join(',') || '<none>';
}

function addressOf(node: Node, type: string): string {
  return node.status?.addresses?.find((one) => one.type === type)?.address ?? '<none>';
}

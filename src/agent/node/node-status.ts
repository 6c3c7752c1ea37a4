import type { NodeCondition, NodeStatus } from 'kubernetes-types/core/v1.js';
import type { RuntimeInfo } from '../../adapters/runtime/port.ts';
import { formatTime, setCondition } from '../../resources/conditions.ts';
import { formatCpuMillis } from '../../resources/quantity.ts';
import type { AgentOptions } from '../agent-options.ts';

export interface NodeFacts {
  readonly nodeName: string;
  readonly addresses: readonly string[];
  readonly version: string;
  /** Undefined while the engine has never answered. */
  readonly engine?: RuntimeInfo;
  /** Why the engine cannot be used now. */
  readonly engineProblem?: string;
  /** Why pods have no network now. */
  readonly networkProblem?: string;
  readonly disk: { readonly totalBytes: number; readonly freeBytes: number };
  readonly memoryAvailableBytes: number;
  readonly bootId: string;
  readonly machineId: string;
}

export const defaultMaxPods = 110;
const diskPressureShare = 0.05;
const memoryPressureBytes = 100 * 2 ** 20;
/** Kept for the engine, the agent and the system: a twentieth, at most half a GiB. */
const reservedShare = 0.05;
const maxReservedBytes = 512 * 2 ** 20;

/** What the node says about itself; `previous` for the times of its conditions. */
export function renderNodeStatus(
  facts: NodeFacts,
  capacity: AgentOptions['capacity'],
  previous: readonly NodeCondition[],
  wallMs: number,
): NodeStatus {
  const { engine } = facts;
  const amounts = engine ? renderAmounts(facts, engine, capacity) : {};
  return {
    addresses: [
      ...facts.addresses.map((address) => ({ type: 'InternalIP', address })),
      { type: 'Hostname', address: facts.nodeName },
    ],
    conditions: renderConditions(facts, previous, wallMs),
    ...amounts,
    ...(engine
      ? {
          nodeInfo: {
            architecture: kubernetesArchitecture(engine.architecture),
            bootID: facts.bootId,
            containerRuntimeVersion: `${engine.engine}://${engine.version}`,
            kernelVersion: engine.kernelVersion,
            kubeProxyVersion: '',
            kubeletVersion: `v${facts.version}`,
            machineID: facts.machineId,
            operatingSystem: 'linux',
            osImage: engine.operatingSystem,
            systemUUID: '',
          },
        }
      : {}),
  };
}

/** `x86_64` → `amd64`, as images name it. */
export function kubernetesArchitecture(machine: string): string {
  return { x86_64: 'amd64', x64: 'amd64', aarch64: 'arm64' }[machine] ?? machine;
}

function renderAmounts(
  facts: NodeFacts,
  engine: RuntimeInfo,
  given: AgentOptions['capacity'],
): Pick<NodeStatus, 'capacity' | 'allocatable'> {
  const memoryBytes = given?.memoryBytes ?? engine.memoryBytes;
  const kibibytes = (bytes: number) => `${Math.floor(bytes / 1024)}Ki`;
  const reserved = given?.memoryBytes === undefined ? Math.min(maxReservedBytes, memoryBytes * reservedShare) : 0;
  const all = {
    cpu: formatCpuMillis(given?.cpuMillis ?? engine.cpus * 1000),
    pods: String(given?.pods ?? defaultMaxPods),
    'ephemeral-storage': kibibytes(facts.disk.totalBytes),
  };
  return {
    capacity: { ...all, memory: kibibytes(memoryBytes) },
    allocatable: { ...all, memory: kibibytes(memoryBytes - reserved) },
  };
}

interface Finding {
  readonly type: string;
  readonly isTrue: boolean;
  readonly reason: string;
  readonly message: string;
}

function renderConditions(facts: NodeFacts, previous: readonly NodeCondition[], wallMs: number): NodeCondition[] {
  const { engineProblem, networkProblem, disk } = facts;
  const isEngineUp = facts.engine !== undefined && engineProblem === undefined;
  const isDiskShort = disk.totalBytes > 0 && disk.freeBytes < disk.totalBytes * diskPressureShare;
  const isMemoryShort = facts.memoryAvailableBytes < memoryPressureBytes;
  const problem = engineProblem ?? networkProblem;
  const findings: Finding[] = [
    {
      type: 'EngineReachable',
      isTrue: isEngineUp,
      reason: isEngineUp ? 'EngineAnswers' : 'EngineAway',
      message: isEngineUp ? 'the container engine answers' : (engineProblem ?? 'the engine has not answered yet'),
    },
    {
      type: 'MemoryPressure',
      isTrue: isMemoryShort,
      reason: isMemoryShort ? 'MemoryIsShort' : 'MemoryIsSufficient',
      message: isMemoryShort ? 'less than 100 MiB of memory are available' : 'memory is available',
    },
    {
      type: 'DiskPressure',
      isTrue: isDiskShort,
      reason: isDiskShort ? 'DiskIsShort' : 'DiskIsSufficient',
      message: isDiskShort ? 'less than 5 % of the disk are free' : 'disk is available',
    },
    {
      type: 'NetworkUnavailable',
      isTrue: networkProblem !== undefined,
      reason: networkProblem === undefined ? 'PodNetworkUp' : 'PodNetworkDown',
      message: networkProblem ?? 'the pod network is up',
    },
    {
      type: 'Ready',
      isTrue: isEngineUp && networkProblem === undefined,
      reason: isEngineUp ? (networkProblem === undefined ? 'AgentReady' : 'PodNetworkDown') : 'EngineAway',
      message: problem ?? (isEngineUp ? 'the agent is ready' : 'the engine has not answered yet'),
    },
  ];
  let conditions = previous.filter(({ type }) => findings.some((one) => one.type === type));
  for (const { type, isTrue, reason, message } of findings) {
    conditions = setCondition(conditions, { type, status: isTrue ? 'True' : 'False', reason, message }, wallMs);
  }
  return conditions.map((one) => ({ ...one, lastHeartbeatTime: formatTime(wallMs) }));
}

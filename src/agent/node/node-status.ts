import type { NodeCondition, NodeStatus } from 'kubernetes-types/core/v1.js';
import type { RuntimeInfo } from '../../adapters/runtime/port.ts';
import { formatTime, setCondition } from '../../resources/conditions.ts';
import { formatCpuMillis } from '../../resources/quantity.ts';
import type { AgentOptions } from '../agent-options.ts';

export interface NodeFacts {
  readonly nodeName: string;
  readonly addresses: readonly string[];
  readonly externalIP?: string;
  readonly version: string;
  /** Undefined while the engine has never answered. */
  readonly engine?: RuntimeInfo;
  /** Why the engine cannot be used now. */
  readonly engineProblem?: string;
  /** It is about to go down, with all that runs on it. */
  readonly isEnding?: boolean;
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
      ...(facts.externalIP === undefined ? [] : [{ type: 'ExternalIP', address: facts.externalIP }]),
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

/** What pods may use here: cpu, memory and their number. */
export function allocatableOf(
  engine: RuntimeInfo,
  given: AgentOptions['capacity'],
): { readonly cpu: string; readonly memory: string; readonly pods: string } {
  const memoryBytes = given?.memoryBytes ?? engine.memoryBytes;
  const reserved = given?.memoryBytes === undefined ? Math.min(maxReservedBytes, memoryBytes * reservedShare) : 0;
  return {
    cpu: formatCpuMillis(given?.cpuMillis ?? engine.cpus * 1000),
    memory: kibibytes(memoryBytes - reserved),
    pods: String(given?.pods ?? defaultMaxPods),
  };
}

function renderAmounts(
  facts: NodeFacts,
  engine: RuntimeInfo,
  given: AgentOptions['capacity'],
): Pick<NodeStatus, 'capacity' | 'allocatable'> {
  const allocatable = { ...allocatableOf(engine, given), 'ephemeral-storage': kibibytes(facts.disk.totalBytes) };
  return { capacity: { ...allocatable, memory: kibibytes(given?.memoryBytes ?? engine.memoryBytes) }, allocatable };
}

function kibibytes(bytes: number): string {
  return `${Math.floor(bytes / 1024)}Ki`;
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
    readiness(facts, isEngineUp),
  ];
  let conditions = previous.filter(({ type }) => findings.some((one) => one.type === type));
  for (const { type, isTrue, reason, message } of findings) {
    conditions = setCondition(conditions, { type, status: isTrue ? 'True' : 'False', reason, message }, wallMs);
  }
  return conditions.map((one) => ({ ...one, lastHeartbeatTime: formatTime(wallMs) }));
}

function readiness({ isEnding, engineProblem, networkProblem }: NodeFacts, isEngineUp: boolean): Finding {
  const not = (reason: string, message: string) => ({ type: 'Ready', isTrue: false, reason, message });
  if (isEnding) return not('HostGoingDown', 'the host is going down');
  if (!isEngineUp) return not('EngineAway', engineProblem ?? networkProblem ?? 'the engine has not answered yet');
  if (networkProblem !== undefined) return not('PodNetworkDown', networkProblem);
  return { type: 'Ready', isTrue: true, reason: 'AgentReady', message: 'the agent is ready' };
}

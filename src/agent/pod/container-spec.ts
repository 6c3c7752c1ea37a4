import type { Container } from 'kubernetes-types/core/v1.js';
import type { BoundPort, ContainerSpec, MountSpec } from '../../adapters/runtime/port.ts';
import type { Pod } from '../../resources/kinds.ts';
import { annotations, hostLabels } from '../../resources/names.ts';
import { podContainer, podContainers } from '../../resources/pod-containers.ts';
import { cpuMillisOf, memoryBytesOf } from '../../resources/quantity.ts';
import { runAs } from '../../resources/rights.ts';
import { expand } from './environment.ts';

const randomPort = /^\s*(\d+)(?:\/(TCP|UDP))?\s*$/;

export interface ContainerSpecInput {
  readonly pod: Pod;
  /** Of the container in the pod. */
  readonly name: string;
  readonly grid: string;
  readonly nodeName: string;
  readonly attempt: number;
  readonly crashes: number;
  readonly networkName: string;
  /** Absent in the host's network. */
  readonly address?: string;
  /** Of the running container whose address and other namespaces it shares; absent: it has its own. */
  readonly pauseId?: string;
  readonly variables: readonly { readonly name: string; readonly value: string }[];
  readonly mounts: readonly MountSpec[];
  /** Host ports that the attempt before this one had: a random one stays the same over a restart. */
  readonly boundPorts: readonly BoundPort[];
}

/** What does not depend on which of the pod's containers it is. */
export type ContainerSpecInputOfPod = Omit<ContainerSpecInput, 'variables' | 'mounts' | 'pauseId'>;

/** A container of a pod as the engine gets it. */
export function renderContainerSpec(input: ContainerSpecInput): ContainerSpec {
  const { pod, name, attempt, pauseId } = input;
  const container = podContainer(pod, name)?.container;
  if (!container) throw new Error(`pod ${pod.metadata.name} has no container "${name}"`);
  const values = new Map(input.variables.map(({ name, value }) => [name, value]));
  const expandAll = (words: readonly string[] | undefined) => words?.map((word) => expand(word, values));
  // An empty list is the same as none, as Kubernetes has it: the engine would take it as "no entrypoint at all".
  const entrypoint = container.command?.length ? expandAll(container.command) : undefined;
  // A command without args runs without the image's own arguments, as Kubernetes has it.
  const command = container.args?.length ? expandAll(container.args) : entrypoint ? [] : undefined;
  const context = container.securityContext;
  const user = userOf(pod, container);
  const { limits, requests } = container.resources ?? {};
  const cpuLimitMillis = cpuMillisOf(limits?.cpu);
  const cpuRequestMillis = cpuMillisOf(requests?.cpu ?? limits?.cpu);
  const memoryLimitBytes = memoryBytesOf(limits?.memory);
  return {
    ...(pauseId === undefined ? renderSandbox(input) : renderShared(pod, pauseId)),
    name: containerName(pod, name, attempt),
    image: container.image ?? '',
    labels: {
      ...containerLabels(input, container.image ?? ''),
      ...(pauseId === undefined ? {} : { [hostLabels.pause]: pauseId }),
    },
    environment: input.variables,
    mounts: input.mounts,
    tty: container.tty ?? false,
    openStdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    readOnlyRootFilesystem: context?.readOnlyRootFilesystem ?? false,
    privileged: context?.privileged ?? false,
    addCapabilities: context?.capabilities?.add ?? [],
    dropCapabilities: context?.capabilities?.drop ?? [],
    noNewPrivileges: context?.allowPrivilegeEscalation === false,
    supplementalGroups: pod.spec.securityContext?.supplementalGroups ?? [],
    hostPid: pod.spec.hostPID ?? false,
    hostIpc: pod.spec.hostIPC ?? false,
    ...(entrypoint ? { entrypoint } : {}),
    ...(command ? { command } : {}),
    ...(container.workingDir ? { workingDir: container.workingDir } : {}),
    ...(user === undefined ? {} : { user }),
    ...(cpuLimitMillis > 0 ? { cpuLimitMillis } : {}),
    ...(cpuRequestMillis > 0 ? { cpuRequestMillis } : {}),
    ...(memoryLimitBytes > 0 ? { memoryLimitBytes } : {}),
  };
}

type Sandbox = Pick<ContainerSpec, 'network' | 'hostname' | 'ports' | 'extraHosts' | 'sysctls'>;

/** What belongs to all containers of a pod: the only one has it, or the pause container. */
export function renderSandbox({ pod, networkName, address, boundPorts }: ContainerSpecInputOfPod): Sandbox {
  return {
    network: address === undefined ? 'host' : { name: networkName, address },
    hostname: pod.spec.hostname ?? pod.metadata.name.slice(0, 63),
    ports: address === undefined ? [] : portsOf(pod, boundPorts),
    extraHosts: (pod.spec.hostAliases ?? []).flatMap(({ ip, hostnames }) =>
      (hostnames ?? []).map((hostname) => `${hostname}:${ip}`),
    ),
    sysctls: Object.fromEntries(
      (pod.spec.securityContext?.sysctls ?? []).map(({ name, value }) => [name, value] as const),
    ),
  };
}

function renderShared({ spec }: Pod, pauseId: string) {
  return {
    network: spec.hostNetwork === true ? ('host' as const) : { container: pauseId },
    ports: [],
    ...(spec.hostIPC === true ? {} : { ipcOf: pauseId }),
    ...(spec.shareProcessNamespace === true ? { pidOf: pauseId } : {}),
  };
}

/** Never longer than the engine's 255 characters: both names are cut, uid and attempt keep it unique. */
export function containerName(pod: Pod, container: string, attempt: number): string {
  const { namespace = 'default', name, uid = '' } = pod.metadata;
  return `fl_${namespace}_${name.slice(0, 120)}_${container}_${uid.slice(0, 8)}_${attempt}`;
}

export function containerLabels(input: ContainerSpecInputOfPod, image: string): Record<string, string> {
  const { metadata } = input.pod;
  return {
    [hostLabels.managed]: 'true',
    [hostLabels.grid]: input.grid,
    [hostLabels.node]: input.nodeName,
    [hostLabels.podNamespace]: metadata.namespace ?? 'default',
    [hostLabels.podName]: metadata.name,
    [hostLabels.podUid]: metadata.uid ?? '',
    [hostLabels.container]: input.name,
    [hostLabels.attempt]: String(input.attempt),
    [hostLabels.crashes]: String(input.crashes),
    [hostLabels.image]: image,
  };
}

function userOf(pod: Pod, container: Container): string | undefined {
  const { user, group } = runAs(pod.spec, container);
  if (user === undefined && group === undefined) return pod.metadata.annotations?.[annotations.user];
  return group === undefined ? String(user) : `${user ?? 0}:${group}`;
}

/** Container ports that are published: those with a host port, and those that want a free one. */
function portsOf(pod: Pod, boundPorts: readonly BoundPort[]): ContainerSpec['ports'] {
  const fixed = podContainers(pod)
    .flatMap(({ role, container }) => (role === 'init' ? [] : (container.ports ?? [])))
    .filter((port) => port.hostPort !== undefined && port.hostPort > 0)
    .map((port) => ({
      containerPort: port.containerPort,
      hostPort: port.hostPort ?? 0,
      protocol: protocolOf(port.protocol),
      ...(port.hostIP ? { hostIP: port.hostIP } : {}),
    }));
  const random = parseRandomPorts(pod.metadata.annotations?.[annotations.randomHostPorts]).map((port) => {
    const before = boundPorts.find(
      (bound) => bound.containerPort === port.containerPort && bound.protocol === port.protocol,
    );
    return before ? { ...port, hostPort: before.hostPort } : port;
  });
  return [...fixed, ...random];
}

/** `80/TCP,53/UDP`; what is no port is left to `randomPortProblems`. */
export function parseRandomPorts(text: string | undefined): { containerPort: number; protocol: 'TCP' | 'UDP' }[] {
  return (text ?? '').split(',').flatMap((part) => {
    const match = randomPort.exec(part);
    return match ? [{ containerPort: Number(match[1]), protocol: protocolOf(match[2]) }] : [];
  });
}

/** A sentence for each part of the annotation that is no port. */
export function randomPortProblems(text: string | undefined): string[] {
  if (text === undefined) return [];
  const wrong = text.split(',').filter((part) => {
    const port = Number(randomPort.exec(part)?.[1] ?? 0);
    return port < 1 || port > 65_535;
  });
  return wrong.map((part) => `annotation ${annotations.randomHostPorts}: "${part}" is not PORT, PORT/TCP or PORT/UDP`);
}

function protocolOf(text: string | undefined): 'TCP' | 'UDP' {
  return text === 'UDP' ? 'UDP' : 'TCP';
}

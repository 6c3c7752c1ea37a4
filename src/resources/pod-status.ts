import { conditionList } from './meta.ts';
import { resourceRequirements } from './resources.ts';
import { field, listOf, mapOf, message } from './schema.ts';

const podCondition = message('PodCondition', {
  type: field(1, 'string'),
  status: field(2, 'string'),
  lastProbeTime: field(3, 'time'),
  lastTransitionTime: field(4, 'time'),
  reason: field(5, 'string'),
  message: field(6, 'string'),
  observedGeneration: field(7, 'int64'),
});

const containerState = message('ContainerState', {
  waiting: field(1, message('ContainerStateWaiting', { reason: field(1, 'string'), message: field(2, 'string') })),
  running: field(2, message('ContainerStateRunning', { startedAt: field(1, 'time') })),
  terminated: field(
    3,
    message('ContainerStateTerminated', {
      exitCode: field(1, 'int32'),
      signal: field(2, 'int32'),
      reason: field(3, 'string'),
      message: field(4, 'string'),
      startedAt: field(5, 'time'),
      finishedAt: field(6, 'time'),
      containerID: field(7, 'string'),
    }),
  ),
});

const containerStatus = message('ContainerStatus', {
  name: field(1, 'string'),
  state: field(2, containerState),
  lastState: field(3, containerState),
  ready: field(4, 'bool'),
  restartCount: field(5, 'int32'),
  image: field(6, 'string'),
  imageID: field(7, 'string'),
  containerID: field(8, 'string'),
  started: field(9, 'bool', { optional: true }),
  allocatedResources: field(10, mapOf('quantity')),
  resources: field(11, resourceRequirements),
  volumeMounts: field(12, listOf('any')),
  user: field(13, 'any'),
  allocatedResourcesStatus: field(14, listOf('any')),
  stopSignal: field(15, 'string'),
});

/** Written by the agent of the pod's node. */
export const podStatus = message('PodStatus', {
  phase: field(1, 'string', { description: 'Pending, Running, Succeeded or Failed.' }),
  conditions: field(2, listOf(podCondition), conditionList),
  message: field(3, 'string'),
  reason: field(4, 'string'),
  hostIP: field(5, 'string'),
  podIP: field(6, 'string'),
  startTime: field(7, 'time'),
  containerStatuses: field(8, listOf(containerStatus)),
  qosClass: field(9, 'string'),
  initContainerStatuses: field(10, listOf(containerStatus)),
  nominatedNodeName: field(11, 'string'),
  podIPs: field(12, listOf(message('PodIP', { ip: field(1, 'string') })), { mergeKey: 'ip', mapKeys: ['ip'] }),
  ephemeralContainerStatuses: field(13, listOf(containerStatus)),
  resize: field(14, 'string'),
  resourceClaimStatuses: field(15, listOf('any'), { mergeKey: 'name', patchStrategy: 'merge,retainKeys' }),
  hostIPs: field(16, listOf(message('HostIP', { ip: field(1, 'string') })), { mergeKey: 'ip' }),
  observedGeneration: field(17, 'int64'),
  extendedResourceClaimStatus: field(18, 'any'),
  allocatedResources: field(19, mapOf('quantity')),
  resources: field(20, resourceRequirements),
  nodeAllocatableResourceClaimStatuses: field(21, listOf('any')),
  volumeHealth: field(22, listOf('any')),
});

import { type ContainerSpec, pauseImage } from '../../adapters/runtime/port.ts';
import { type ContainerSpecInputOfPod, containerLabels, containerName, renderSandbox } from './container-spec.ts';

/** The pause container: everything that the pod's containers share, and no rights at all. */
export function renderPauseSpec(input: ContainerSpecInputOfPod): ContainerSpec {
  return {
    ...renderSandbox(input),
    name: containerName(input.pod, input.name, input.attempt),
    image: pauseImage,
    labels: containerLabels(input, pauseImage),
    environment: [],
    mounts: [],
    shareableIpc: input.pod.spec.hostIPC !== true,
    readOnlyRootFilesystem: true,
    dropCapabilities: ['ALL'],
    noNewPrivileges: true,
  };
}

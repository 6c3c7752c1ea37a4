import type { Pod } from '../../resources/kinds.ts';

/** One of the pods refers to the object: a Secret, ConfigMap (`secrets`, `configmaps`) or Volume (`volumes`) by name. */
export function podsUsing(pods: Iterable<Pod>, plural: string, namespace: string, name: string): boolean {
  for (const pod of pods) {
    if (pod.metadata.namespace === namespace && refersTo(pod, plural, name)) return true;
  }
  return false;
}

function refersTo(pod: Pod, plural: string, name: string): boolean {
  if (plural === 'secrets') return secretNames(pod).includes(name);
  if (plural === 'configmaps') return configMapNames(pod).includes(name);
  return (pod.spec.volumes ?? []).some((volume) => volume.persistentVolumeClaim?.claimName === name);
}

function secretNames(pod: Pod): (string | undefined)[] {
  const volumes = pod.spec.volumes ?? [];
  return [
    ...containersOf(pod).flatMap(({ env = [], envFrom = [] }) => [
      ...env.map((one) => one.valueFrom?.secretKeyRef?.name),
      ...envFrom.map((one) => one.secretRef?.name),
    ]),
    ...volumes.map((volume) => volume.secret?.secretName),
    ...volumes.flatMap((volume) => (volume.projected?.sources ?? []).map((source) => source.secret?.name)),
    ...(pod.spec.imagePullSecrets ?? []).map((one) => one.name),
  ];
}

function configMapNames(pod: Pod): (string | undefined)[] {
  const volumes = pod.spec.volumes ?? [];
  return [
    ...containersOf(pod).flatMap(({ env = [], envFrom = [] }) => [
      ...env.map((one) => one.valueFrom?.configMapKeyRef?.name),
      ...envFrom.map((one) => one.configMapRef?.name),
    ]),
    ...volumes.map((volume) => volume.configMap?.name),
    ...volumes.flatMap((volume) => (volume.projected?.sources ?? []).map((source) => source.configMap?.name)),
  ];
}

function containersOf(pod: Pod) {
  return [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
}

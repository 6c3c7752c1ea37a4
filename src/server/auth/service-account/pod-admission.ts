// What a pod gets from its service account when it is made, as Kubernetes' admission does: the account's name, the pull
// secrets, and a volume with token, authority and namespace where clients look for them.
import type { Container, Volume } from 'kubernetes-types/core/v1.js';
import type { Pod, ServiceAccount } from '../../../resources/kinds.ts';

export const defaultAccountName = 'default';
/** By the service account controller, in every namespace: the certificate of the servers' authority under `ca.crt`. */
export const rootCertificateName = 'kube-root-ca.crt';
export const tokenMountPath = '/var/run/secrets/kubernetes.io/serviceaccount';
const volumePrefix = 'kube-api-access-';
/** A little more than an hour, so that it can be told from one that somebody asked for. Agents renew it earlier. */
const tokenSeconds = 3_607;

export function accountNameOf(pod: Pod): string {
  return pod.spec.serviceAccountName || pod.spec.serviceAccount || defaultAccountName;
}

/** Whether it gets a token: the pod's own word counts, then its account's, then yes. */
export function wantsToken(pod: Pod, account: ServiceAccount | undefined): boolean {
  return pod.spec.automountServiceAccountToken ?? account?.automountServiceAccountToken ?? true;
}

/** `suffix`: five random letters. Gives a new pod; a container that mounts something else there keeps it. */
export function withServiceAccount(pod: Pod, account: ServiceAccount | undefined, suffix: string): Pod {
  const name = accountNameOf(pod);
  const spec = { ...pod.spec, serviceAccountName: name, serviceAccount: name };
  const pullSecrets = account?.imagePullSecrets ?? [];
  if (!spec.imagePullSecrets?.length && pullSecrets.length > 0) spec.imagePullSecrets = structuredClone(pullSecrets);
  if (!account || !wantsToken(pod, account)) return { ...pod, spec };
  const isFree = (container: Container) => !container.volumeMounts?.some((one) => one.mountPath === tokenMountPath);
  const { containers, initContainers } = spec;
  if (![...containers, ...(initContainers ?? [])].some(isFree)) return { ...pod, spec };
  const volume = freeName(spec.volumes ?? [], suffix);
  const mounted = (container: Container): Container => {
    if (!isFree(container)) return container;
    const mount = { name: volume, readOnly: true, mountPath: tokenMountPath };
    return { ...container, volumeMounts: [...(container.volumeMounts ?? []), mount] };
  };
  return {
    ...pod,
    spec: {
      ...spec,
      containers: containers.map(mounted),
      ...(initContainers ? { initContainers: initContainers.map(mounted) } : {}),
      volumes: [...(spec.volumes ?? []), tokenVolume(volume)],
    },
  };
}

function freeName(volumes: readonly Volume[], suffix: string): string {
  const isTaken = (name: string) => volumes.some((one) => one.name === name);
  let name = `${volumePrefix}${suffix}`;
  for (let count = 2; isTaken(name); count++) name = `${volumePrefix}${suffix}-${count}`;
  return name;
}

function tokenVolume(name: string): Volume {
  return {
    name,
    projected: {
      defaultMode: 0o644,
      sources: [
        { serviceAccountToken: { expirationSeconds: tokenSeconds, path: 'token' } },
        { configMap: { name: rootCertificateName, items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
    },
  };
}

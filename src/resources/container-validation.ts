import type { Container, PodSpec } from 'kubernetes-types/core/v1.js';
import { duplicate, forbidden, invalid, notFound, notSupported } from './field-errors.ts';
import type { FieldError } from './schema.ts';
import { hasFiles } from './volume.ts';

type PodVolume = NonNullable<PodSpec['volumes']>[number];

interface Placed {
  readonly container: Container;
  readonly path: string;
  readonly isInit: boolean;
}

const onlyFiles = 'mount the whole volume; single files only of secret, configMap, projected and downwardAPI volumes';
const onlySidecars = 'may not be set for init containers without restartPolicy=Always';
const afterStart = ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const;

/** What the containers of a pod must be beside each other, and with its volumes. `path` is that of the pod's spec. */
export function validateContainers(
  spec: PodSpec,
  path: string,
  volumes: ReadonlyMap<string, PodVolume>,
  errors: FieldError[],
): void {
  const apps = placed(spec.containers, `${path}.containers`, false);
  const inits = placed(spec.initContainers, `${path}.initContainers`, true);
  const names = new Set<string>();
  const hostPorts = new Set<string>();
  for (const one of [...apps, ...inits]) {
    const { container } = one;
    if (container.name && names.has(container.name)) errors.push(duplicate(`${one.path}.name`, container.name));
    names.add(container.name);
    validateRole(one, errors);
    validateMounts(one, volumes, errors);
    if (spec.hostNetwork) validateHostNetworkPorts(one, errors);
    // Those of an init container are free again when it is through.
    if (!one.isInit || container.restartPolicy === 'Always') validateHostPorts(one, hostPorts, errors);
  }
  if (spec.shareProcessNamespace && spec.hostPID) {
    const both = 'ShareProcessNamespace and HostPID cannot both be enabled';
    errors.push(invalid(`${path}.shareProcessNamespace`, true, both));
  }
}

function placed(containers: readonly Container[] | undefined, path: string, isInit: boolean): readonly Placed[] {
  return (containers ?? []).map((container, index) => ({ container, path: `${path}[${index}]`, isInit }));
}

function validateRole({ container, path, isInit }: Placed, errors: FieldError[]): void {
  const { restartPolicy } = container;
  if (restartPolicy !== undefined) {
    if (!isInit) errors.push(forbidden(`${path}.restartPolicy`, 'may not be set for non-init containers'));
    else if (restartPolicy !== 'Always') errors.push(notSupported(`${path}.restartPolicy`, restartPolicy, ['Always']));
  }
  if (!isInit || restartPolicy === 'Always') return;
  for (const name of afterStart) {
    if (container[name] !== undefined) errors.push(forbidden(`${path}.${name}`, onlySidecars));
  }
}

function validateMounts({ container, path }: Placed, volumes: ReadonlyMap<string, PodVolume>, errors: FieldError[]) {
  container.volumeMounts?.forEach((mount, index) => {
    const at = `${path}.volumeMounts[${index}]`;
    const source = volumes.get(mount.name);
    if (mount.name && !source) errors.push(notFound(`${at}.name`, mount.name));
    if (mount.subPath && source && !hasFiles(source)) {
      errors.push(forbidden(`${at}.subPath`, `not supported by Flotilla: ${onlyFiles}`));
    }
  });
}

/** Those of one container alone are looked at where containers are. */
function validateHostPorts({ container, path }: Placed, taken: Set<string>, errors: FieldError[]): void {
  const own = new Set<string>();
  container.ports?.forEach((port, index) => {
    if (!port.hostPort) return;
    const key = `${port.protocol ?? 'TCP'}/${port.hostIP ?? ''}/${port.hostPort}`;
    if (taken.has(key)) errors.push(duplicate(`${path}.ports[${index}].hostPort`, key));
    own.add(key);
  });
  for (const key of own) taken.add(key);
}

/** In the node's own network a container port is a host port; naming another one cannot work. */
function validateHostNetworkPorts({ container, path }: Placed, errors: FieldError[]): void {
  container.ports?.forEach((port, index) => {
    if (!port.hostPort || port.hostPort === port.containerPort) return;
    const at = `${path}.ports[${index}].containerPort`;
    errors.push(invalid(at, port.containerPort, 'must match `hostPort` when `hostNetwork` is true'));
  });
}

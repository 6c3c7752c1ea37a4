import type {
  Container,
  EnvVar,
  PodTemplateSpec,
  Volume as PodVolume,
  ResourceRequirements,
  SecurityContext,
  VolumeMount,
} from 'kubernetes-types/core/v1.js';
import type { Stack } from '../resources/kinds.ts';
import { annotations } from '../resources/names.ts';
import { formatCpuMillis, formatMemoryBytes } from '../resources/quantity.ts';
import type { StackMount, StackResources, StackService } from '../resources/stack-types.ts';
import { hashOf } from './hash-of.ts';
import { envSecretName, fileObjectName, objectName, volumeObjectName } from './object-names.ts';
import { probesOf } from './probes.ts';

/** On pods: changes when the contents of a secret, config or env file do, and so makes new pods. */
export const contentHash = 'flotilla.dev/content-hash';

export interface TemplateInput {
  readonly stack: Stack;
  /** Name of the service in the file. */
  readonly name: string;
  readonly service: StackService;
  readonly selector: Readonly<Record<string, string>>;
}

/** One service as a pod with one container, named after the service. */
export function podTemplateOf(input: TemplateInput): PodTemplateSpec {
  const { service, selector } = input;
  const { volumes, mounts } = mountsOf(input);
  const own = templateAnnotations(input);
  return {
    metadata: { labels: { ...selector }, ...(Object.keys(own).length > 0 ? { annotations: own } : {}) },
    spec: {
      containers: [containerOf(input, mounts)],
      restartPolicy: service.restart === 'no' ? 'Never' : service.restart === 'on-failure' ? 'OnFailure' : 'Always',
      terminationGracePeriodSeconds: service.stopGracePeriodSeconds ?? 10,
      // What comes from a Compose file knows nothing of the API, and gets no key to it.
      automountServiceAccountToken: false,
      ...(volumes.length > 0 ? { volumes } : {}),
    },
  };
}

function containerOf({ name, service }: TemplateInput, mounts: VolumeMount[]): Container {
  const env = Object.entries(service.environment ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]): EnvVar => ({ name: key, value: literal(value) }));
  const ports = portsOf(service);
  const resources = resourcesOf(service);
  const security = securityOf(service.user);
  return {
    name: objectName(name),
    image: service.image,
    // As Compose does it; and a replacement must not need a registry when its node has the image.
    imagePullPolicy: 'IfNotPresent',
    // Compose's empty entrypoint is "none at all"; to the API an empty list is the image's own, to the engine one "" is none.
    ...(service.entrypoint ? { command: service.entrypoint.length > 0 ? service.entrypoint.map(literal) : [''] } : {}),
    ...(service.command ? { args: service.command.map(literal) } : {}),
    ...(service.workingDir ? { workingDir: service.workingDir } : {}),
    ...(env.length > 0 ? { env } : {}),
    ...(hasSecretEnvironment(service) ? { envFrom: [{ secretRef: { name: envSecretName(name) } }] } : {}),
    ...(ports.length > 0 ? { ports } : {}),
    ...(mounts.length > 0 ? { volumeMounts: mounts } : {}),
    ...(resources ? { resources } : {}),
    ...(security ? { securityContext: security } : {}),
    ...probesOf(service),
  };
}

/** Kubernetes expands `$(NAME)` in values and arguments, Compose does not: `$$(` stands for `$(`. */
function literal(text: string): string {
  return text.replaceAll('$(', '$$$$(');
}

function templateAnnotations({ stack, service }: TemplateInput): Record<string, string> {
  const random = (service.ports ?? []).filter((port) => port.hostPort === undefined);
  const named = service.user !== undefined && securityOf(service.user) === undefined;
  const contents = contentsOf(stack, service);
  return {
    ...service.labels,
    ...(random.length > 0
      ? { [annotations.randomHostPorts]: random.map((port) => `${port.containerPort}/${port.protocol}`).join(',') }
      : {}),
    ...(named && service.user ? { [annotations.user]: service.user } : {}),
    ...(service.replaceUnhealthyAfter ? { [annotations.replaceUnhealthyAfter]: service.replaceUnhealthyAfter } : {}),
    ...(service.failover?.after ? { [annotations.failoverAfter]: service.failover.after } : {}),
    ...(contents.length > 0 ? { [contentHash]: hashOf(contents) } : {}),
  };
}

/** Everything a pod of the service reads that is not in its template. */
function contentsOf(stack: Stack, service: StackService): unknown[] {
  const files = (service.mounts ?? []).flatMap((mount) => {
    if (mount.type !== 'secret' && mount.type !== 'config') return [];
    const from = mount.type === 'secret' ? stack.spec.secrets : stack.spec.configs;
    return [[mount.type, mount.source, from?.[mount.source]?.data ?? '']];
  });
  const env = Object.entries(service.secretEnvironment ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return env.length > 0 ? [...files, env] : files;
}

function hasSecretEnvironment(service: StackService): boolean {
  return Object.keys(service.secretEnvironment ?? {}).length > 0;
}

/** Published ports with their fixed host port, random ones by annotation, exposed ones for the reader. */
function portsOf(service: StackService): NonNullable<Container['ports']> {
  const published = (service.ports ?? []).map((port) => ({
    containerPort: port.containerPort,
    protocol: port.protocol,
    ...(port.hostPort === undefined ? {} : { hostPort: port.hostPort }),
    ...(port.hostIP === undefined ? {} : { hostIP: port.hostIP }),
  }));
  const isPublished = (port: number, protocol: string) =>
    published.some((one) => one.containerPort === port && one.protocol === protocol);
  const exposed = (service.expose ?? [])
    .filter((one) => !isPublished(one.port, one.protocol))
    .map((one) => ({ containerPort: one.port, protocol: one.protocol }));
  return [...published, ...exposed];
}

function resourcesOf(service: StackService): ResourceRequirements | undefined {
  const { limits, reservations } = service.resources ?? {};
  const asList = (one: StackResources) => ({
    ...(one.cpuMillis === undefined ? {} : { cpu: formatCpuMillis(one.cpuMillis) }),
    ...(one.memoryBytes === undefined ? {} : { memory: formatMemoryBytes(one.memoryBytes) }),
  });
  const out: ResourceRequirements = {
    ...(limits && Object.keys(limits).length > 0 ? { limits: asList(limits) } : {}),
    ...(reservations && Object.keys(reservations).length > 0 ? { requests: asList(reservations) } : {}),
  };
  return Object.keys(out).length > 0 ? out : undefined;
}

/** `1000` or `1000:1000`; undefined for names, which only the image can resolve. */
function securityOf(user: string | undefined): SecurityContext | undefined {
  const match = /^(\d+)(?::(\d+))?$/.exec(user ?? '');
  if (!match) return undefined;
  const [, uid, gid] = match;
  return { runAsUser: Number(uid), ...(gid === undefined ? {} : { runAsGroup: Number(gid) }) };
}

interface Mounts {
  readonly volumes: PodVolume[];
  readonly mounts: VolumeMount[];
}

function mountsOf(input: TemplateInput): Mounts {
  const volumes = new Map<string, PodVolume>();
  const mounts = (input.service.mounts ?? []).map((mount, index): VolumeMount => {
    const volume = volumeOf(input, mount, index);
    volumes.set(volume.name, volume);
    return {
      name: volume.name,
      mountPath: mount.target,
      ...(mount.type === 'secret' || mount.type === 'config' ? { subPath: mount.source, readOnly: true } : {}),
      ...('readOnly' in mount && mount.readOnly ? { readOnly: true } : {}),
    };
  });
  return { volumes: [...volumes.values()], mounts };
}

/** Names of pod volumes follow their source, so that the order of mounts does not matter to the reader. */
function volumeOf({ stack }: TemplateInput, mount: StackMount, index: number): PodVolume {
  switch (mount.type) {
    case 'volume': {
      const claimName =
        stack.spec.volumes?.[mount.source]?.external ?? volumeObjectName(stack.metadata.name, mount.source);
      return { name: objectName(`volume-${mount.source}`), persistentVolumeClaim: { claimName } };
    }
    case 'bind':
      return { name: `bind-${index}`, hostPath: { path: mount.source } };
    case 'tmpfs': {
      const size = mount.sizeBytes === undefined ? {} : { sizeLimit: formatMemoryBytes(mount.sizeBytes) };
      return { name: `tmpfs-${index}`, emptyDir: { medium: 'Memory', ...size } };
    }
    case 'secret':
    case 'config': {
      // A mode of its own needs a volume of its own.
      const suffix = mount.mode === undefined ? '' : `-${mount.mode.toString(8)}`;
      const secretName = fileObjectName(stack.metadata.name, mount.type, mount.source);
      const mode = mount.mode === undefined ? {} : { defaultMode: mount.mode };
      return { name: objectName(`${mount.type}-${mount.source}${suffix}`), secret: { secretName, ...mode } };
    }
  }
}

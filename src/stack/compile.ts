import { apiVersionOf, type Kind } from '../resources/kind.ts';
import {
  type Deployment,
  deployments,
  type Ingress,
  ingresses,
  type NetworkPolicy,
  networkPolicies,
  type Pod,
  pods,
  type Secret,
  type Service,
  type Stack,
  secrets,
  services,
  type Volume,
  volumes,
} from '../resources/kinds.ts';
import { annotations, labels } from '../resources/names.ts';
import type { ApiObject } from '../resources/object.ts';
import { headless } from '../resources/service-facts.ts';
import type { StackService } from '../resources/stack-types.ts';
import { hashOf } from './hash-of.ts';
import { ingressObjects, ingressPorts } from './ingress.ts';
import { isolationPolicies } from './isolation.ts';
import { envSecretName, fileObjectName, objectName, volumeObjectName } from './object-names.ts';
import { podTemplateOf } from './pod-template.ts';
import { strategyOf, timingOf, updateAnnotations } from './update-strategy.ts';

/**
 * What a stack is made of, in the stack's namespace. Every object carries the label `flotilla.dev/stack`, those of a
 * service also `flotilla.dev/service`, and in `flotilla.dev/applied-hash` the hash of all that is said here: an object
 * whose annotation has the same hash needs no write.
 *
 * Two rules that others must know:
 * - Secrets and configs are Secret objects mounted file by file: a `secret` volume and a `volumeMount` with `subPath` = the
 *   key, at the target path of the file. `subPath` is used on secret (and configMap) volumes only. Such a file does not
 *   follow changes of its Secret; it need not, since the template carries a hash of what it mounts and new contents make
 *   new pods.
 * - `dependsOn` is not in the objects: the stack controller holds workloads back by `gates`.
 */
export interface CompiledStack {
  /** Network policies, Service and Ingress objects, Secrets, Volumes: made first, held back by nothing. */
  readonly prerequisites: readonly CompiledObject[];
  readonly workloads: readonly CompiledWorkload[];
}

export type CompiledObject =
  | { readonly kind: typeof services; readonly object: Service }
  | { readonly kind: typeof secrets; readonly object: Secret }
  | { readonly kind: typeof volumes; readonly object: Volume }
  | { readonly kind: typeof networkPolicies; readonly object: NetworkPolicy }
  | { readonly kind: typeof ingresses; readonly object: Ingress };

export type CompiledWorkload = {
  /** Name in the file. */
  readonly service: string;
  readonly gates: readonly Gate[];
} & (
  | { readonly kind: typeof deployments; readonly object: Deployment }
  /** `restart: no` and `on-failure`: its name contains the hash of its template, so that a new template is a new pod. */
  | { readonly kind: typeof pods; readonly object: Pod }
);

export interface Gate {
  /** Service that must have come so far. */
  readonly service: string;
  readonly condition: 'service_started' | 'service_healthy' | 'service_completed_successfully';
}

/** What the grid says that is in no file. */
export interface CompileSettings {
  /** `Grid.spec.ingress.baseDomain`. */
  readonly baseDomain?: string;
}

/** Deterministic: the same Stack in the same grid gives the same objects, in the same order. */
export function compileStack(stack: Stack, { baseDomain }: CompileSettings = {}): CompiledStack {
  const { spec } = stack;
  const byName = <T>(entries: Readonly<Record<string, T>> | undefined) =>
    Object.entries(entries ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    prerequisites: [
      ...isolationPolicies(stack, (name) => serviceSelector(stack.metadata.name, name)).map((policy) => ({
        kind: networkPolicies,
        object: stamp(stack, policy),
      })),
      ...byName(spec.services).map(([name, service]) => ({
        kind: services,
        object: serviceObject(stack, name, service),
      })),
      ...byName(spec.services).flatMap(([name, service]) =>
        ingressObjects(stack, name, service, serviceSelector(stack.metadata.name, name), baseDomain).map((one) => ({
          kind: ingresses,
          object: stamp(stack, one),
        })),
      ),
      ...byName(spec.services).flatMap(([name, service]) => envSecret(stack, name, service)),
      ...byName(spec.secrets).map(([name, file]) => fileSecret(stack, 'secret', name, file.data)),
      ...byName(spec.configs).map(([name, file]) => fileSecret(stack, 'config', name, file.data)),
      ...byName(spec.volumes).flatMap(([name, volume]) =>
        volume.external ? [] : [volumeObject(stack, name, volume.labels)],
      ),
    ],
    workloads: byName(spec.services).flatMap(([name, service]) => workloadsOf(stack, name, service)),
  };
}

/** Labels that find the pods of a service: the selector of its Deployment and of its Service object. */
export function serviceSelector(stack: string, service: string): Record<string, string> {
  return { [labels.stack]: stack, [labels.service]: objectName(service) };
}

function workloadsOf(stack: Stack, name: string, service: StackService): CompiledWorkload[] {
  const gates = Object.entries(service.dependsOn ?? {})
    .map(([other, { condition }]) => ({ service: other, condition }))
    .sort((a, b) => (a.service < b.service ? -1 : 1));
  const selector = serviceSelector(stack.metadata.name, name);
  const template = podTemplateOf({ stack, name, service, selector });
  if ((service.restart ?? 'always') !== 'always') {
    const base = `${objectName(name).slice(0, 48)}-${hashOf(template).slice(0, 10)}`;
    return Array.from({ length: service.instances }, (_, at) => {
      const metadata = { ...template.metadata, name: at === 0 ? base : `${base}-${at}` };
      const object = { ...identityOf(pods), metadata, spec: template.spec ?? { containers: [] } };
      return { service: name, gates, kind: pods, object: stamp(stack, object) };
    });
  }
  const object: Deployment = {
    ...identityOf(deployments),
    metadata: {
      name: objectName(name),
      labels: selector,
      annotations: { ...updateAnnotations(service.update), [annotations.templateHash]: hashOf(template) },
    },
    spec: {
      replicas: service.instances,
      selector: { matchLabels: selector },
      strategy: strategyOf(service),
      ...timingOf(service),
      template,
    },
  };
  return [{ service: name, gates, kind: deployments, object: stamp(stack, object) }];
}

/** Each service has a name in the cluster, and, but for `dnsrr`, an address for all ports whether or not the file says them. */
function serviceObject(stack: Stack, name: string, service: StackService): Service {
  const aliases = [...new Set(service.aliases)].filter((alias) => alias !== objectName(name)).sort();
  const isHeadless = service.endpointMode === 'dnsrr';
  const wanted = [
    ...(service.ports ?? []).map((port) => ({ port: port.containerPort, protocol: port.protocol })),
    ...(service.expose ?? []),
    ...ingressPorts(service).map((port) => ({ port, protocol: 'TCP' as const })),
  ];
  const unique = new Map(wanted.map((one) => [`${one.port}/${one.protocol}`, one]));
  const ports = [...unique.values()]
    .sort((a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1))
    .map(({ port, protocol }) => ({ name: `${protocol.toLowerCase()}-${port}`, port, targetPort: port, protocol }));
  return stamp(stack, {
    ...identityOf(services),
    metadata: {
      name: objectName(name),
      labels: serviceSelector(stack.metadata.name, name),
      ...annotated({
        ...(isHeadless ? {} : { [annotations.allPorts]: 'true' }),
        ...(aliases.length > 0 ? { [annotations.aliases]: aliases.join(',') } : {}),
      }),
    },
    spec: {
      ...(isHeadless ? { clusterIP: headless } : {}),
      selector: serviceSelector(stack.metadata.name, name),
      ...(ports.length > 0 ? { ports } : {}),
    },
  });
}

function annotated(annotations: Record<string, string>): { annotations?: Record<string, string> } {
  return Object.keys(annotations).length > 0 ? { annotations } : {};
}

function envSecret(stack: Stack, name: string, service: StackService): CompiledObject[] {
  const entries = Object.entries(service.secretEnvironment ?? {});
  if (entries.length === 0) return [];
  const data = Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value, 'utf8').toString('base64')]));
  const metadata = { name: envSecretName(name), labels: serviceSelector(stack.metadata.name, name) };
  return [{ kind: secrets, object: stamp(stack, { ...identityOf(secrets), metadata, type: 'Opaque', data }) }];
}

/** One key, named after the entry of the file. */
function fileSecret(stack: Stack, type: 'secret' | 'config', name: string, data: string): CompiledObject {
  const metadata = { name: fileObjectName(stack.metadata.name, type, name) };
  return {
    kind: secrets,
    object: stamp(stack, { ...identityOf(secrets), metadata, type: 'Opaque', data: { [name]: data } }),
  };
}

function volumeObject(stack: Stack, name: string, own: Record<string, string> | undefined): CompiledObject {
  // Labels of a volume are free text in Compose: annotations here.
  const metadata = { name: volumeObjectName(stack.metadata.name, name), ...(own ? { annotations: { ...own } } : {}) };
  return { kind: volumes, object: stamp(stack, { ...identityOf(volumes), metadata, spec: {} }) };
}

function identityOf(kind: Kind): { apiVersion: string; kind: string } {
  return { apiVersion: apiVersionOf(kind), kind: kind.kind };
}

/** Namespace, the stack's label, and the hash of everything else. */
function stamp<T extends ApiObject>(stack: Stack, object: T): T {
  const { namespace } = stack.metadata;
  const metadata = {
    ...object.metadata,
    ...(namespace === undefined ? {} : { namespace }),
    labels: { ...object.metadata.labels, [labels.stack]: stack.metadata.name },
  };
  const hash = hashOf({ ...object, metadata });
  return {
    ...object,
    metadata: { ...metadata, annotations: { ...metadata.annotations, [annotations.appliedHash]: hash } },
  };
}

import type { PodSpec, Toleration, Volume } from 'kubernetes-types/core/v1.js';
import { affinity, topologySpreadConstraint } from './affinity.ts';
import { container } from './container.ts';
import { duplicate, forbidden, invalid, notFound } from './field-errors.ts';
import { localObjectReference } from './meta.ts';
import { validateLabels } from './meta-validation.ts';
import { dnsLabel, dnsSubdomain, ipAddress, qualifiedName } from './name-checks.ts';
import { validateRights } from './rights.ts';
import { type FieldError, field, type JsonObject, listOf, mapOf, message, unsupported } from './schema.ts';
import { podSecurityContext } from './security-context.ts';
import { volume } from './volume.ts';

const oneContainer = 'this release runs one container a pod';

const toleration = message(
  'Toleration',
  {
    key: field(1, 'string', { check: qualifiedName }),
    operator: field(2, 'string', { allowed: ['Equal', 'Exists'] }),
    value: field(3, 'string'),
    effect: field(4, 'string', { allowed: ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] }),
    tolerationSeconds: field(5, 'int64', {
      optional: true,
      description: 'With effect NoExecute: the pod is deleted so long after the taint appeared. Default: never.',
    }),
  },
  { validate: validateToleration },
);

const hostAlias = message('HostAlias', {
  ip: field(1, 'string', { required: true, check: ipAddress }),
  hostnames: field(2, listOf('string')),
});

export const podSpec = message(
  'PodSpec',
  {
    volumes: field(1, listOf(volume), { mergeKey: 'name', mapKeys: ['name'], patchStrategy: 'merge,retainKeys' }),
    containers: field(2, listOf(container), { required: true, mergeKey: 'name', mapKeys: ['name'] }),
    restartPolicy: field(3, 'string', { default: 'Always', allowed: ['Always', 'OnFailure', 'Never'] }),
    terminationGracePeriodSeconds: field(4, 'int64', {
      optional: true,
      default: 30,
      min: 0,
      description: 'Between SIGTERM and SIGKILL.',
    }),
    activeDeadlineSeconds: unsupported(5, 'end the program itself', { type: 'int64', optional: true, harmless: [] }),
    dnsPolicy: unsupported(6, 'leave it out; names are resolved by the node’s own DNS', {
      type: 'string',
      default: 'ClusterFirst',
      harmless: ['ClusterFirst'],
    }),
    nodeSelector: field(7, mapOf('string'), { isAtomic: true, description: 'Labels that the node must have.' }),
    serviceAccountName: field(8, 'string', {
      check: dnsSubdomain,
      description: 'Whose token the pod gets. Default: default.',
    }),
    serviceAccount: field(9, 'string', { description: 'The old name of serviceAccountName; always the same.' }),
    nodeName: field(10, 'string', { check: dnsSubdomain, description: 'Written once, by the scheduler.' }),
    hostNetwork: field(11, 'bool', { description: 'The pod has the node’s own addresses and ports.' }),
    hostPID: field(12, 'bool', { description: 'The pod sees the node’s processes.' }),
    hostIPC: field(13, 'bool', { description: 'The pod shares the node’s System V IPC and POSIX queues.' }),
    // Absent would make kubectl debug fail.
    securityContext: field(14, podSecurityContext, { default: {} }),
    imagePullSecrets: field(15, listOf(localObjectReference), {
      mergeKey: 'name',
      mapKeys: ['name'],
      ignored: 'log the nodes’ engines in to the registry',
    }),
    hostname: field(16, 'string', { check: dnsLabel }),
    subdomain: unsupported(17, 'reach pods through a Service object', { type: 'string' }),
    affinity: field(18, affinity),
    schedulerName: unsupported(19, 'leave it out; there is one scheduler', {
      type: 'string',
      default: 'default-scheduler',
      harmless: ['default-scheduler'],
    }),
    initContainers: unsupported(20, `${oneContainer}; do the work at the start of its program`, {
      type: listOf('any'),
      mergeKey: 'name',
    }),
    automountServiceAccountToken: field(21, 'bool', {
      optional: true,
      description: 'False: no token is mounted. Default: what the service account says.',
    }),
    tolerations: field(22, listOf(toleration)),
    hostAliases: field(23, listOf(hostAlias), { mergeKey: 'ip', mapKeys: ['ip'] }),
    priorityClassName: unsupported(24, 'leave it out; pods have no priorities', { type: 'string' }),
    priority: unsupported(25, 'leave it out; pods have no priorities', { type: 'int32', optional: true }),
    dnsConfig: unsupported(26, 'leave it out; names are resolved by the node’s own DNS'),
    shareProcessNamespace: unsupported(27, oneContainer, { type: 'bool', optional: true }),
    readinessGates: unsupported(28, 'use a readinessProbe', { type: listOf('any') }),
    runtimeClassName: unsupported(29, 'leave it out; the engine’s default runtime is used', {
      type: 'string',
      optional: true,
    }),
    enableServiceLinks: unsupported(30, 'leave it out', { type: 'bool', optional: true, harmless: [true, false] }),
    preemptionPolicy: unsupported(31, 'leave it out; pods have no priorities', {
      type: 'string',
      optional: true,
      harmless: ['PreemptLowerPriority', 'Never'],
    }),
    overhead: unsupported(32, 'add it to the requests of the container', { type: mapOf('any') }),
    topologySpreadConstraints: field(33, listOf(topologySpreadConstraint), {
      mergeKey: 'topologyKey',
      mapKeys: ['topologyKey', 'whenUnsatisfiable'],
      ignored: 'the pods of a set are spread over the nodes, whatever it says',
    }),
    ephemeralContainers: unsupported(34, oneContainer, { type: listOf('any'), mergeKey: 'name' }),
    setHostnameAsFQDN: unsupported(35, 'leave it out', { type: 'bool', optional: true }),
    os: unsupported(36, 'leave it out; containers run on Linux', { type: mapOf('any'), harmless: [{ name: 'linux' }] }),
    hostUsers: unsupported(37, 'leave it out; user namespaces are a setting of the engine', {
      type: 'bool',
      optional: true,
      harmless: [true],
    }),
    schedulingGates: unsupported(38, 'create the pod when it may run', { type: listOf('any'), mergeKey: 'name' }),
    resourceClaims: unsupported(39, 'request cpu and memory of the container', {
      type: listOf('any'),
      mergeKey: 'name',
      patchStrategy: 'merge,retainKeys',
    }),
    resources: unsupported(40, 'set the resources of the container'),
    hostnameOverride: unsupported(41, 'use hostname', { type: 'string', optional: true }),
    schedulingGroup: unsupported(43, 'leave it out; each pod is scheduled by itself'),
    evictionResponders: unsupported(44, 'leave it out', { type: listOf('any') }),
  },
  { defaults: sameAccountTwice, validate: validatePodSpec, description: 'What a pod runs, and where it may.' },
);

/** One of both is enough; the new name counts. */
function sameAccountTwice(spec: JsonObject): void {
  const name = spec.serviceAccountName || spec.serviceAccount;
  if (name) Object.assign(spec, { serviceAccountName: name, serviceAccount: name });
}

function validateToleration(one: Toleration, path: string, errors: FieldError[]): void {
  const operator = one.operator ?? 'Equal';
  if (!one.key && operator !== 'Exists') {
    errors.push(
      invalid(
        `${path}.operator`,
        operator,
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ),
    );
  }
  if (one.tolerationSeconds !== undefined && one.effect !== 'NoExecute') {
    errors.push(invalid(`${path}.effect`, one.effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"));
  }
  if (operator === 'Exists' && one.value) {
    errors.push(invalid(`${path}.operator`, one, "value must be empty when `operator` is 'Exists'"));
  }
}

const onlyFiles = 'mount the whole volume; single files only of secret, configMap, projected and downwardAPI volumes';

function hasFiles({ secret, configMap, projected, downwardAPI }: Volume): boolean {
  return Boolean(secret ?? configMap ?? projected ?? downwardAPI);
}

function validatePodSpec(spec: PodSpec, path: string, errors: FieldError[]): void {
  for (let index = 1; index < (spec.containers?.length ?? 0); index += 1) {
    errors.push(forbidden(`${path}.containers[${index}]`, `not supported by Flotilla: ${oneContainer}`));
  }
  if (spec.hostNetwork && spec.hostname) {
    errors.push(
      forbidden(`${path}.hostname`, 'not supported by Flotilla: a pod with hostNetwork has the host name of its node'),
    );
  }
  validateRights(spec, path, errors);
  validateLabels(spec.nodeSelector, `${path}.nodeSelector`, errors);
  const volumes = new Map<string, NonNullable<PodSpec['volumes']>[number]>();
  spec.volumes?.forEach((one, index) => {
    if (volumes.has(one.name)) errors.push(duplicate(`${path}.volumes[${index}].name`, one.name));
    volumes.set(one.name, one);
  });
  spec.containers?.forEach((one, containerIndex) => {
    one.volumeMounts?.forEach((mount, index) => {
      const at = `${path}.containers[${containerIndex}].volumeMounts[${index}]`;
      const source = volumes.get(mount.name);
      if (mount.name && !source) errors.push(notFound(`${at}.name`, mount.name));
      if (mount.subPath && source && !hasFiles(source)) {
        errors.push(forbidden(`${at}.subPath`, `not supported by Flotilla: ${onlyFiles}`));
      }
    });
    if (spec.hostNetwork) validateHostPorts(one.ports, `${path}.containers[${containerIndex}]`, errors);
  });
}

/** In the node's own network a container port is a host port; naming another one cannot work. */
function validateHostPorts(ports: PodSpec['containers'][number]['ports'], path: string, errors: FieldError[]): void {
  ports?.forEach((port, index) => {
    if (port.hostPort && port.hostPort !== port.containerPort) {
      errors.push(
        invalid(
          `${path}.ports[${index}].containerPort`,
          port.containerPort,
          'must match `hostPort` when `hostNetwork` is true',
        ),
      );
    }
  });
}

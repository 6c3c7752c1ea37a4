import type { PodSpec, Toleration } from 'kubernetes-types/core/v1.js';
import { affinity, topologySpreadConstraint } from './affinity.ts';
import { container } from './container.ts';
import { validateContainers } from './container-validation.ts';
import { duplicate, forbidden, invalid } from './field-errors.ts';
import { localObjectReference } from './meta.ts';
import { validateLabels } from './meta-validation.ts';
import { dnsLabel, dnsSubdomain, ipAddress, qualifiedName } from './name-checks.ts';
import { validateRights } from './rights.ts';
import { type FieldError, field, type JsonObject, listOf, mapOf, message, unsupported } from './schema.ts';
import { podSecurityContext } from './security-context.ts';
import { volume } from './volume.ts';

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
    initContainers: field(20, listOf(container), {
      mergeKey: 'name',
      mapKeys: ['name'],
      description: 'Each runs to its end before the next one; those with restartPolicy: Always go on, as sidecars.',
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
    shareProcessNamespace: field(27, 'bool', {
      optional: true,
      description: 'Its containers see each other’s processes.',
    }),
    readinessGates: unsupported(28, 'use a readinessProbe', { type: listOf('any') }),
    runtimeClassName: unsupported(29, 'leave it out; the engine’s default runtime is used', {
      type: 'string',
      optional: true,
    }),
    enableServiceLinks: field(30, 'bool', {
      optional: true,
      description: 'Variables tell of the services of its namespace. Default: true.',
    }),
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
    ephemeralContainers: unsupported(34, 'add a container to the pod', { type: listOf('any'), mergeKey: 'name' }),
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

function validatePodSpec(spec: PodSpec, path: string, errors: FieldError[]): void {
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
  validateContainers(spec, path, volumes, errors);
}

import type { Container } from 'kubernetes-types/core/v1.js';
import { envFromSource, envVar } from './env.ts';
import { duplicate, invalid } from './field-errors.ts';
import { lifecycle } from './lifecycle.ts';
import { dnsLabel, ipAddress, portName, portNumber } from './name-checks.ts';
import { probe } from './probe.ts';
import { resourceRequirements } from './resources.ts';
import { type FieldError, field, type JsonObject, listOf, message, unsupported } from './schema.ts';
import { securityContext } from './security-context.ts';
import { mountPathProblem, volumeMount } from './volume.ts';

const containerPort = message('ContainerPort', {
  name: field(1, 'string', { check: portName }),
  hostPort: field(2, 'int32', {
    check: (port: number) => (port === 0 ? [] : portNumber(port)),
    description: 'A port of the node that leads here.',
  }),
  containerPort: field(3, 'int32', { required: true, zeroIsAbsent: true, check: portNumber }),
  protocol: field(4, 'string', { default: 'TCP', allowed: ['TCP', 'UDP'] }),
  hostIP: field(5, 'string', { check: ipAddress }),
});

export const container = message(
  'Container',
  {
    name: field(1, 'string', { required: true, check: dnsLabel }),
    image: field(2, 'string', {
      required: true,
      check: (image: string) => (image.trim() === image ? [] : ['must not have leading or trailing whitespace']),
    }),
    command: field(3, listOf('string'), { description: 'Instead of the image’s entrypoint.' }),
    args: field(4, listOf('string'), { description: 'Instead of the image’s command.' }),
    workingDir: field(5, 'string'),
    ports: field(6, listOf(containerPort), { mergeKey: 'containerPort', mapKeys: ['containerPort', 'protocol'] }),
    env: field(7, listOf(envVar), { mergeKey: 'name', mapKeys: ['name'] }),
    // Absent is not the same as empty here: kubectl follows it without looking.
    resources: field(8, resourceRequirements, { default: {} }),
    volumeMounts: field(9, listOf(volumeMount), { mergeKey: 'mountPath', mapKeys: ['mountPath'] }),
    livenessProbe: field(10, probe, { description: 'When it fails the container is started anew.' }),
    readinessProbe: field(11, probe, { description: 'While it fails nothing is sent to the pod.' }),
    lifecycle: field(12, lifecycle),
    terminationMessagePath: field(13, 'string', {
      default: '/dev/termination-log',
      description: 'What is written to this file becomes the message of the container’s end; at most 4 KiB.',
    }),
    imagePullPolicy: field(14, 'string', { allowed: ['Always', 'IfNotPresent', 'Never'] }),
    securityContext: field(15, securityContext),
    stdin: field(16, 'bool'),
    stdinOnce: field(17, 'bool'),
    tty: field(18, 'bool'),
    envFrom: field(19, listOf(envFromSource)),
    terminationMessagePolicy: field(20, 'string', {
      default: 'File',
      allowed: ['File', 'FallbackToLogsOnError'],
    }),
    volumeDevices: unsupported(21, 'use volumeMounts', { type: listOf('any'), mergeKey: 'devicePath' }),
    startupProbe: field(22, probe, {
      description: 'Until it succeeds the other probes wait; when it fails, a new start.',
    }),
    resizePolicy: unsupported(23, 'leave it out; a change of resources makes new pods', { type: listOf('any') }),
    restartPolicy: field(24, 'string', {
      optional: true,
      description: 'Always makes a sidecar of an init container.',
    }),
    restartPolicyRules: unsupported(25, 'use restartPolicy of the pod', { type: listOf('any') }),
  },
  { defaults: pullPolicyByTag, validate: validateContainer },
);

/** A tag that moves is pulled each time, one that does not when it is missing. */
function pullPolicyByTag(object: JsonObject): void {
  if (object.imagePullPolicy || typeof object.image !== 'string') return;
  const [name = '', digest] = object.image.split('@');
  const tag = /:([^:/]+)$/.exec(name)?.[1] ?? (digest === undefined ? 'latest' : undefined);
  object.imagePullPolicy = tag === 'latest' ? 'Always' : 'IfNotPresent';
}

function validateContainer(one: Container, path: string, errors: FieldError[]): void {
  for (const kind of ['livenessProbe', 'startupProbe'] as const) {
    const threshold = one[kind]?.successThreshold;
    if (threshold !== undefined && threshold !== 1) {
      errors.push(invalid(`${path}.${kind}.successThreshold`, threshold, 'must be 1'));
    }
  }
  if (one.readinessProbe?.terminationGracePeriodSeconds !== undefined) {
    const wrong = `${path}.readinessProbe.terminationGracePeriodSeconds`;
    errors.push(
      invalid(wrong, one.readinessProbe.terminationGracePeriodSeconds, 'must not be set for readinessProbes'),
    );
  }
  validatePorts(one, path, errors);
  const mountPaths = new Set<string>();
  one.volumeMounts?.forEach((mount, index) => {
    if (mountPaths.has(mount.mountPath)) {
      errors.push(mountPathProblem(`${path}.volumeMounts[${index}].mountPath`, mount.mountPath));
    }
    mountPaths.add(mount.mountPath);
  });
}

function validatePorts(one: Container, path: string, errors: FieldError[]): void {
  const names = new Set<string>();
  const hostPorts = new Set<string>();
  one.ports?.forEach((port, index) => {
    if (port.name) {
      if (names.has(port.name)) errors.push(duplicate(`${path}.ports[${index}].name`, port.name));
      names.add(port.name);
    }
    if (port.hostPort) {
      const key = `${port.protocol ?? 'TCP'}/${port.hostIP ?? ''}/${port.hostPort}`;
      if (hostPorts.has(key)) errors.push(duplicate(`${path}.ports[${index}].hostPort`, key));
      hostPorts.add(key);
    }
  });
  for (const kind of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    for (const action of ['httpGet', 'tcpSocket'] as const) {
      const wanted = one[kind]?.[action]?.port;
      if (typeof wanted === 'string' && !names.has(wanted)) {
        errors.push(invalid(`${path}.${kind}.${action}.port`, wanted, 'must be the name of a port of this container'));
      }
    }
  }
}

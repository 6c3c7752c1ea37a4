import { failoverAfterProblems } from '../failover.ts';
import { invalid } from '../field-errors.ts';
import { anyHost } from '../ingress-facts.ts';
import { readOptionTexts } from '../ingress-options.ts';
import { hostProblems, pathProblems } from '../ingress-validation.ts';
import { condition, conditionList } from '../meta.ts';
import { absolutePath, dnsSubdomain, envName, ipAddress, portNumber } from '../name-checks.ts';
import { type FieldError, field, listOf, mapOf, message } from '../schema.ts';
import type { StackIngress } from '../stack-types.ts';
import { timezoneProblems, windowProblems } from '../update-window.ts';

// Stacks travel as JSON only: no field has a protobuf number.
const json = 0;

const protocol = field(json, 'string', { default: 'TCP', allowed: ['TCP', 'UDP'] });

const stackPort = message('StackPort', {
  containerPort: field(json, 'int32', { required: true, check: portNumber }),
  hostPort: field(json, 'int32', { check: portNumber, description: 'Default: a free port of the node.' }),
  hostIP: field(json, 'string', { check: ipAddress }),
  protocol,
});

const stackMount = message('StackMount', {
  type: field(json, 'string', { required: true, allowed: ['volume', 'bind', 'tmpfs', 'secret', 'config'] }),
  source: field(json, 'string'),
  target: field(json, 'string', { required: true, check: absolutePath }),
  readOnly: field(json, 'bool'),
  sizeBytes: field(json, 'int64', { min: 1 }),
  mode: field(json, 'int32', { min: 0, max: 0o777 }),
});

const stackResources = message('StackResources', {
  cpuMillis: field(json, 'int64', { min: 1 }),
  memoryBytes: field(json, 'int64', { min: 1 }),
});

const stackHealthcheck = message('StackHealthcheck', {
  exec: field(json, listOf('string'), { required: true, description: 'argv.' }),
  intervalSeconds: field(json, 'int32', { default: 30, min: 1 }),
  timeoutSeconds: field(json, 'int32', { default: 30, min: 1 }),
  retries: field(json, 'int32', { default: 3, min: 1 }),
  startPeriodSeconds: field(json, 'int32', { default: 0, min: 0 }),
});

const stackHealthCheck = message('StackHealthCheck', {
  protocol: field(json, 'string', { required: true, allowed: ['http', 'tcp'] }),
  port: field(json, 'int32', { required: true, check: portNumber }),
  path: field(json, 'string', { check: absolutePath, description: 'Of http; default /.' }),
  intervalSeconds: field(json, 'int32', { default: 10, min: 1 }),
  timeoutSeconds: field(json, 'int32', { default: 5, min: 1 }),
  retries: field(json, 'int32', { default: 3, min: 1 }),
  initialDelaySeconds: field(json, 'int32', { default: 10, min: 0 }),
});

const stackUpdate = message('StackUpdate', {
  order: field(json, 'string', { allowed: ['start-first', 'stop-first'] }),
  maxAtOnce: field(json, 'int32', { min: 0, description: 'Instances replaced at the same time; 0: all.' }),
  minHealthyPercent: field(json, 'int32', { min: 0, max: 100 }),
  monitorSeconds: field(json, 'int32', { min: 0 }),
  pauseSeconds: field(json, 'int32', { min: 0, max: 86_400 }),
  window: field(json, 'string', { check: windowProblems }),
  timezone: field(json, 'string', { check: timezoneProblems }),
  autoRollback: field(json, 'bool'),
  deadlineSeconds: field(json, 'int32', { min: 1 }),
});

const stackDependency = message('StackDependency', {
  condition: field(json, 'string', {
    default: 'service_started',
    allowed: ['service_started', 'service_healthy', 'service_completed_successfully'],
  }),
});

const environment = {
  check: (variables: Readonly<Record<string, string>>) =>
    Object.keys(variables).flatMap((name) => envName(name).map((problem) => `${name}: ${problem}`)),
  secret: true,
} as const;

const stackIngress = message(
  'StackIngress',
  {
    host: field(json, 'string', {
      description: 'shop.example.org, *.example.org; *: any that nobody names. Absent: it is about the automatic name.',
    }),
    port: field(json, 'int32', { check: portNumber, description: 'Of the container. Default: the first HTTP port.' }),
    path: field(json, 'string', { description: 'Default: /.' }),
    pathType: field(json, 'string', { allowed: ['Exact', 'Prefix'], description: 'Default: Prefix.' }),
    tls: field(json, 'string', {
      allowed: ['acme', 'internal', 'none'],
      description: 'Who makes the certificate. Default: the grid’s ACME server where it can, else the grid.',
    }),
    tlsSecret: field(json, 'string', { check: dnsSubdomain, description: 'A Secret of the namespace that has it.' }),
    listen: field(json, 'int32', { check: portNumber, description: 'Plain TCP: the port of the ingress nodes.' }),
    options: field(json, mapOf('string'), {
      description: 'As annotations of Ingress objects, without ingress.flotilla.dev/.',
    }),
  },
  { description: 'A host and path, or a port of plain TCP, that lead to the service.', validate: validateIngress },
);

const stackService = message('StackService', {
  image: field(json, 'string', { required: true }),
  instances: field(json, 'int32', { default: 1, min: 0 }),
  entrypoint: field(json, listOf('string')),
  command: field(json, listOf('string')),
  environment: field(json, mapOf('string'), environment),
  secretEnvironment: field(json, mapOf('string'), environment),
  ports: field(json, listOf(stackPort)),
  expose: field(
    json,
    listOf(message('StackExpose', { port: field(json, 'int32', { required: true, check: portNumber }), protocol })),
  ),
  mounts: field(json, listOf(stackMount)),
  resources: field(
    json,
    message('StackResourceLimits', { limits: field(json, stackResources), reservations: field(json, stackResources) }),
  ),
  healthcheck: field(json, stackHealthcheck, { description: 'A command in the container.' }),
  healthCheck: field(json, stackHealthCheck, { description: 'A question that its node asks it.' }),
  waitForPort: field(json, 'int32', { check: portNumber, description: 'Not there before it takes connections.' }),
  replaceUnhealthyAfter: field(json, 'string', {
    check: failoverAfterProblems,
    description: 'Replaced after so long a time of not being ready.',
  }),
  update: field(json, stackUpdate, { description: 'How instances are replaced.' }),
  dependsOn: field(json, mapOf(stackDependency)),
  restart: field(json, 'string', { allowed: ['always', 'on-failure', 'no'] }),
  labels: field(json, mapOf('string')),
  user: field(json, 'string'),
  workingDir: field(json, 'string', { check: absolutePath }),
  stopGracePeriodSeconds: field(json, 'int32', { min: 0 }),
  endpointMode: field(json, 'string', {
    allowed: ['vip', 'dnsrr'],
    description: 'vip: its name answers one address that stands for all instances; dnsrr: their own addresses.',
  }),
  aliases: field(json, listOf('string'), { description: 'Further names of the service in its stack.' }),
  ingress: field(json, listOf(stackIngress), { description: 'How the world comes to it, besides its automatic name.' }),
  automaticName: field(json, 'bool', {
    optional: true,
    description: 'false: it gets no <service>.<stack>.<base domain>.',
  }),
  failover: field(json, message('StackFailover', { after: field(json, 'string', { check: failoverAfterProblems }) })),
});

const stackFile = message('StackFile', { data: field(json, 'bytes', { secret: true, description: 'Base64.' }) });

export const stackSpec = message('StackSpec', {
  version: field(json, 'string'),
  isolate: field(json, 'bool'),
  services: field(json, mapOf(stackService), { default: {} }),
  volumes: field(
    json,
    mapOf(message('StackVolume', { external: field(json, 'string'), labels: field(json, mapOf('string')) })),
  ),
  secrets: field(json, mapOf(stackFile)),
  configs: field(json, mapOf(stackFile)),
});

const stackServiceStatus = message('StackServiceStatus', {
  instances: field(json, 'int32'),
  updated: field(json, 'int32'),
  ready: field(json, 'int32'),
  message: field(json, 'string'),
});

export const stackStatus = message('StackStatus', {
  observedGeneration: field(json, 'int64'),
  version: field(json, 'int64', { description: 'Number of the newest stack version.' }),
  conditions: field(json, listOf(condition), conditionList),
  services: field(json, mapOf(stackServiceStatus)),
  inventory: field(json, listOf('string')),
});

function validateIngress(one: StackIngress, path: string, errors: FieldError[]): void {
  const { host, path: prefix, pathType = 'Prefix', options = {} } = one;
  const problems = host === undefined || host === anyHost ? [] : hostProblems(host);
  for (const problem of problems) errors.push(invalid(`${path}.host`, host, problem));
  for (const problem of prefix === undefined ? [] : pathProblems(prefix, pathType)) {
    errors.push(invalid(`${path}.path`, prefix, problem));
  }
  for (const { name, problem } of readOptionTexts(options).problems) {
    errors.push(invalid(`${path}.options[${name}]`, options[name], problem));
  }
}

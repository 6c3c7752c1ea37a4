import { failoverAfterProblems } from '../failover.ts';
import { condition, conditionList } from '../meta.ts';
import { absolutePath, envName, ipAddress, portNumber } from '../name-checks.ts';
import { field, listOf, mapOf, message } from '../schema.ts';

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
  healthcheck: field(json, stackHealthcheck),
  dependsOn: field(json, mapOf(stackDependency)),
  restart: field(json, 'string', { allowed: ['always', 'on-failure', 'no'] }),
  labels: field(json, mapOf('string')),
  user: field(json, 'string'),
  workingDir: field(json, 'string', { check: absolutePath }),
  stopGracePeriodSeconds: field(json, 'int32', { min: 0 }),
  failover: field(json, message('StackFailover', { after: field(json, 'string', { check: failoverAfterProblems }) })),
});

const stackFile = message('StackFile', { data: field(json, 'bytes', { secret: true, description: 'Base64.' }) });

export const stackSpec = message('StackSpec', {
  version: field(json, 'string'),
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
  conditions: field(json, listOf(condition), conditionList),
  services: field(json, mapOf(stackServiceStatus)),
  inventory: field(json, listOf('string')),
});

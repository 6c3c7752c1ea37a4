import { parseCpuMillis } from '../../lib/quantities.ts';
import { failoverAfterProblems, formatFailoverAfter, parseFailoverAfter } from '../../resources/failover.ts';
import { qualifiedName } from '../../resources/name-checks.ts';
import type { StackMount, StackResources, StackService } from '../../resources/stack-types.ts';
import { httpPortOf } from '../ingress.ts';
import { readNetworks } from './aliases.ts';
import { type EnvironmentContext, readEnvFiles, readEnvironment } from './environment.ts';
import { readHealthCheck } from './health-check.ts';
import { readHealthcheck, readSeconds } from './healthcheck.ts';
import { readIngress } from './ingress.ts';
import {
  deployRules,
  failoverRules,
  hints,
  limitRules,
  reservationRules,
  resourcesRules,
  serviceRules,
} from './keys.ts';
import { type MountContext, readBytes, readFileMounts, readMounts, readTmpfs } from './mounts.ts';
import { readExpose, readPorts } from './ports.ts';
import type { Fields, Reader } from './reader.ts';
import { splitShellWords } from './shell-words.ts';
import type { Source } from './source.ts';
import { checkUpdate, readUpdate, readWaitForPort } from './update.ts';

export interface ServiceContext extends MountContext, EnvironmentContext {}

/** Everything but `depends_on`, which needs the other services. Undefined when it has no image. */
export function readService(context: ServiceContext, fields: Fields): StackService | undefined {
  const { reader, where } = context;
  const on = <T>(key: string, read: (source: Source) => T): T | undefined => {
    const source = fields.get(key);
    return source && read(source);
  };
  const text = (key: string): string | undefined => on(key, (source) => reader.text(source, `"${key}" ${where}`));
  const deploy = on('deploy', (source) =>
    reader.fields(source, `"deploy" ${where}`, `in "deploy" ${where}`, deployRules),
  );
  const mounts: StackMount[] = [
    ...(on('volumes', (source) => readMounts(context, source)) ?? []),
    ...(on('tmpfs', (source) => readTmpfs(context, source)) ?? []),
    ...(on('secrets', (source) => readFileMounts(context, source, 'secret')) ?? []),
    ...(on('configs', (source) => readFileMounts(context, source, 'config')) ?? []),
  ];
  checkTargets(reader, mounts, fields, where);
  const aliases = on('networks', (source) => readNetworks(reader, source, where));
  const command = on('command', (source) => readCommand(reader, source, `"command" ${where}`));
  const entrypoint = on('entrypoint', (source) => readCommand(reader, source, `"entrypoint" ${where}`));
  const ports = on('ports', (source) => readPorts(reader, source, where));
  const expose = on('expose', (source) => readExpose(reader, source, where));
  const resources = deploy && readResources(reader, deploy, where);
  const healthcheck = on('healthcheck', (source) => readHealthcheck(reader, source, where));
  const healthCheck = on('health_check', (source) => readHealthCheck(reader, source, where));
  if (fields.get('healthcheck') && fields.get('health_check')) {
    const message = `"healthcheck" and "health_check" ${where} are two checks of the same thing`;
    reader.problems.add(fields.keyAt('health_check'), message, 'keep one of them');
  }
  const waitForPort = deploy && readWaitForPort(reader, deploy, where);
  const replaceUnhealthyAfter = deploy && readReplaceUnhealthyAfter(reader, deploy, where);
  const update = deploy && readUpdate(reader, deploy, where);
  const restart = on('restart', (source) => readRestart(reader, source, where));
  const labels = on('labels', (source) => readLabels(reader, source, `"labels" ${where}`));
  const user = text('user');
  const workingDir = text('working_dir');
  if (workingDir && !workingDir.startsWith('/')) {
    reader.problems.add(fields.keyAt('working_dir'), `"working_dir" ${where} must be absolute, not "${workingDir}"`);
  }
  const stopGracePeriodSeconds = on('stop_grace_period', (source) =>
    readSeconds(reader, source, `"stop_grace_period" ${where}`, 0),
  );
  const failover = on('failover', (source) => readFailover(reader, source, where));
  const instances = readInstances(reader, fields, deploy, where);
  const endpointMode = deploy && readEndpointMode(reader, deploy, where);
  const variables = readVariables(context, fields);
  const image = on('image', (source) => reader.string(source, `"image" ${where}`)?.trim());
  if (!image) {
    if (!fields.get('image') || image === '') reader.problems.add(fields.at, `"image" ${where} is missing`);
    return undefined;
  }
  if (/\s/.test(image)) reader.problems.add(fields.keyAt('image'), `image "${image}" ${where} has a blank in it`);
  const service: StackService = {
    image,
    instances,
    ...variables,
    ...(entrypoint === undefined ? {} : { entrypoint }),
    ...(command === undefined ? {} : { command }),
    ...(ports?.length ? { ports } : {}),
    ...(expose?.length ? { expose } : {}),
    ...(mounts.length > 0 ? { mounts } : {}),
    ...(resources === undefined ? {} : { resources }),
    ...(healthcheck === undefined ? {} : { healthcheck }),
    ...(healthCheck === undefined ? {} : { healthCheck }),
    ...(waitForPort === undefined ? {} : { waitForPort }),
    ...(replaceUnhealthyAfter === undefined ? {} : { replaceUnhealthyAfter }),
    ...(update === undefined ? {} : { update }),
    ...(restart === undefined ? {} : { restart }),
    ...(labels && Object.keys(labels).length > 0 ? { labels } : {}),
    ...(user === undefined ? {} : { user }),
    ...(workingDir === undefined ? {} : { workingDir }),
    ...(stopGracePeriodSeconds === undefined ? {} : { stopGracePeriodSeconds }),
    ...(failover === undefined ? {} : { failover }),
    ...(endpointMode === undefined ? {} : { endpointMode }),
    ...(aliases?.length ? { aliases } : {}),
  };
  if (deploy) checkUpdate(reader, deploy, service, where);
  const hasHttpPort = httpPortOf(service) !== undefined;
  return { ...service, ...on('ingress', (source) => readIngress(reader, source, where, hasHttpPort)) };
}

export function serviceFields(reader: Reader, source: Source, name: string): Fields | undefined {
  return reader.fields(source, `service "${name}"`, `in service "${name}"`, serviceRules);
}

/** argv; a string is split as a shell would, without a shell. */
function readCommand(reader: Reader, source: Source, what: string): string[] | undefined {
  if (source.type !== 'scalar') return reader.strings(source, what);
  const text = reader.string(source, what);
  if (text === undefined) return undefined;
  return splitShellWords(text) ?? reader.problems.add(source.at, `a quote in ${what} is never closed`);
}

/** `environment` wins over `env_file`. */
function readVariables(
  context: ServiceContext,
  fields: Fields,
): Pick<StackService, 'environment' | 'secretEnvironment'> {
  const files = fields.get('env_file');
  const own = fields.get('environment');
  const all = new Map([...(files ? readEnvFiles(context, files) : []), ...(own ? readEnvironment(context, own) : [])]);
  const pick = (isSecret: boolean): Record<string, string> =>
    Object.fromEntries([...all].filter(([, one]) => one.isSecret === isSecret).map(([name, one]) => [name, one.value]));
  const environment = pick(false);
  const secretEnvironment = pick(true);
  return {
    ...(Object.keys(environment).length > 0 ? { environment } : {}),
    ...(Object.keys(secretEnvironment).length > 0 ? { secretEnvironment } : {}),
  };
}

const ownPrefix = 'flotilla.dev/';
const instancesRange = { min: 0, max: 10_000 };

function readInstances(reader: Reader, fields: Fields, deploy: Fields | undefined, where: string): number {
  const own = fields.get('instances');
  const replicas = deploy?.get('replicas');
  const mode = deploy?.get('mode');
  if (mode && reader.oneOf(mode, `"mode" in "deploy" ${where}`, ['replicated', 'global']) === 'global') {
    reader.problems.add(mode.at, `"mode: global" in "deploy" ${where} is not supported`, hints.later);
  }
  if (own && replicas)
    reader.problems.add(
      fields.keyAt('instances'),
      `"instances" and "deploy.replicas" ${where} are the same`,
      'keep one of them',
    );
  const what = own ? `"instances" ${where}` : `"replicas" in "deploy" ${where}`;
  const source = own ?? replicas;
  return (source && reader.integer(source, what, instancesRange)) ?? 1;
}

function readEndpointMode(reader: Reader, deploy: Fields, where: string): StackService['endpointMode'] {
  const source = deploy.get('endpoint_mode');
  return source && reader.oneOf(source, `"endpoint_mode" in "deploy" ${where}`, ['vip', 'dnsrr']);
}

function readResources(reader: Reader, deploy: Fields, where: string): StackService['resources'] {
  const source = deploy.get('resources');
  const fields =
    source && reader.fields(source, `"resources" ${where}`, `in "deploy.resources" ${where}`, resourcesRules);
  if (!fields) return undefined;
  const limits = readAmounts(reader, fields, 'limits', where);
  const reservations = readAmounts(reader, fields, 'reservations', where);
  for (const key of ['cpuMillis', 'memoryBytes'] as const) {
    const [limit, reserved] = [limits?.[key], reservations?.[key]];
    if (limit !== undefined && reserved !== undefined && reserved > limit) {
      const name = key === 'cpuMillis' ? 'cpus' : 'memory';
      reader.problems.add(
        fields.keyAt('reservations'),
        `"reservations.${name}" ${where} is more than "limits.${name}"`,
      );
    }
  }
  if (!limits && !reservations) return undefined;
  return { ...(limits ? { limits } : {}), ...(reservations ? { reservations } : {}) };
}

function readAmounts(
  reader: Reader,
  resources: Fields,
  key: 'limits' | 'reservations',
  where: string,
): StackResources | undefined {
  const source = resources.get(key);
  const rules = key === 'limits' ? limitRules : reservationRules;
  const fields = source && reader.fields(source, `"${key}" ${where}`, `in "deploy.resources.${key}" ${where}`, rules);
  if (!fields) return undefined;
  const cpus = fields.get('cpus');
  const memory = fields.get('memory');
  const cpuMillis = cpus && readCpus(reader, cpus, `"${key}.cpus" ${where}`);
  const memoryBytes = memory && readBytes(reader, memory, `"${key}.memory" ${where}`);
  if (cpuMillis === undefined && memoryBytes === undefined) return undefined;
  return { ...(cpuMillis === undefined ? {} : { cpuMillis }), ...(memoryBytes === undefined ? {} : { memoryBytes }) };
}

function readCpus(reader: Reader, source: Source, what: string): number | undefined {
  const scalar = reader.scalar(source, what, 'a number of CPUs such as 0.5');
  if (!scalar) return undefined;
  return (
    parseCpuMillis(scalar.text) ??
    reader.problems.add(scalar.at, `${what} must be a number of CPUs such as 0.5, not "${scalar.text}"`)
  );
}

/** `{after: 10s}`: how long the node of an instance may be silent until the instance is replaced. */
function readFailover(reader: Reader, source: Source, where: string): StackService['failover'] | undefined {
  const fields = reader.fields(source, `"failover" ${where}`, `in "failover" ${where}`, failoverRules);
  const found = fields?.get('after');
  const after = found && readAfter(reader, found, `"after" in "failover" ${where}`);
  return after === undefined ? undefined : { after };
}

function readReplaceUnhealthyAfter(reader: Reader, deploy: Fields, where: string): string | undefined {
  const source = deploy.get('replace_unhealthy_after');
  return source && readAfter(reader, source, `"replace_unhealthy_after" in "deploy" ${where}`);
}

/** `10s`, `1m30s`, `never`. */
function readAfter(reader: Reader, source: Source, what: string): string | undefined {
  const text = reader.string(source, what);
  if (text === undefined) return undefined;
  const parsed = parseFailoverAfter(text);
  if (parsed !== undefined) return formatFailoverAfter(parsed);
  const [problem = ''] = failoverAfterProblems(text);
  return reader.problems.add(source.at, `${what} ${problem}, not "${text}"`);
}

function readRestart(reader: Reader, source: Source, where: string): StackService['restart'] | undefined {
  const what = `"restart" ${where}`;
  if (source.type === 'scalar' && source.value === false) {
    return reader.problems.add(source.at, `${what} must be text, not false`, 'put it into quotes: restart: "no"');
  }
  if (source.type === 'scalar' && /^on-failure:\d+$/.test(source.text)) {
    reader.problems.warn(
      source.at,
      `the number in "${source.text}" ${where} has no effect`,
      'it is tried again for ever, more and more slowly',
    );
    return 'on-failure';
  }
  const policy = reader.oneOf(source, what, ['no', 'always', 'unless-stopped', 'on-failure']);
  return policy === 'unless-stopped' ? 'always' : policy;
}

/** A map, or a list of `name=value`. They become annotations, whose names have a form. */
export function readLabels(reader: Reader, source: Source, what: string): Record<string, string> {
  const labels = new Map<string, string>();
  const check = (name: string, at: Source['at']): void => {
    const [problem] = qualifiedName(name.toLowerCase());
    if (problem !== undefined) reader.problems.add(at, `"${name}" in ${what} is no name of a label: ${problem}`);
    else if (name.toLowerCase().startsWith(ownPrefix)) {
      reader.problems.add(at, `"${name}" in ${what}: names with ${ownPrefix} are Flotilla's own`, 'name it otherwise');
    }
  };
  if (source.type === 'map') {
    for (const [name, { at, value }] of source.entries) {
      check(name, at);
      const isEmpty = value.type === 'scalar' && value.value === null;
      labels.set(name, isEmpty ? '' : (reader.text(value, `label "${name}" in ${what}`) ?? ''));
    }
    return Object.fromEntries(labels);
  }
  for (const item of reader.list(source, what) ?? []) {
    const text = reader.string(item, `an item of ${what}`);
    if (text === undefined) continue;
    const equals = text.indexOf('=');
    check(equals < 0 ? text : text.slice(0, equals), item.at);
    labels.set(equals < 0 ? text : text.slice(0, equals), equals < 0 ? '' : text.slice(equals + 1));
  }
  return Object.fromEntries(labels);
}

function checkTargets(reader: Reader, mounts: readonly StackMount[], fields: Fields, where: string): void {
  const seen = new Set<string>();
  for (const { target } of mounts) {
    if (seen.has(target)) reader.problems.add(fields.at, `two volumes ${where} at ${target}`);
    seen.add(target);
  }
}

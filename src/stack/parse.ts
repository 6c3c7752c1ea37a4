import { posix } from 'node:path';
import { FlotillaError, messageOf } from '../lib/errors.ts';
import type { StackService, StackSpec } from '../resources/stack-types.ts';
import { type Link, readLinks } from './parse/aliases.ts';
import { checkDependencies, type DependencyPlaces, readDependsOn } from './parse/depends-on.ts';
import { parseEnvFile } from './parse/env-file.ts';
import { checkTopNetworks, readStackFiles, readVolumes } from './parse/files.ts';
import { checkIngress } from './parse/ingress.ts';
import type { Lookup } from './parse/interpolate.ts';
import { topLevelRules } from './parse/keys.ts';
import { isServiceName, reservedNames, toName } from './parse/names.ts';
import { Problems, renderProblem } from './parse/problems.ts';
import { type Fields, Reader } from './parse/reader.ts';
import { readService, type ServiceContext, serviceFields } from './parse/service.ts';
import { parseYaml, type Source, startOfFile, type YamlFile } from './parse/source.ts';
import { checkSet, readVariables, type Variables } from './parse/variables.ts';

export interface ParseStackOptions {
  readonly text: string;
  /** As messages shall name it. */
  readonly fileName: string;
  /** Absolute: where relative paths of the file begin. Default: that of `fileName`. */
  readonly directory?: string;
  /** Contents of an absolute path; throws as `fs.readFileSync` does. */
  readonly readFile: (path: string) => Uint8Array;
  /** Of the user who deploys. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `--set`. */
  readonly set: Readonly<Record<string, string>>;
  /** `--name`; default: the file's `name`, else the directory's. */
  readonly projectName?: string | undefined;
}

export interface ParsedStack {
  readonly name: string;
  /** A stack lives in a namespace of its own, of the same name. */
  readonly namespace: string;
  readonly spec: StackSpec;
  /** `file:line:column: …`: what the file says and Flotilla will not do. */
  readonly warnings: readonly string[];
}

/**
 * A Compose file, or one with Flotilla's own keys, as a stack: no shorthand, no variables, nothing ignored in silence.
 * Throws StackFileError (BadFile) with all problems of the file, each with its place; nothing else.
 */
export function parseStackFile(options: ParseStackOptions): ParsedStack {
  const problems = new Problems(options.fileName);
  try {
    const parsed = parse(options, new Reader(problems));
    problems.throwIfAny();
    if (parsed) return { ...parsed, warnings: problems.warnings().map(renderProblem) };
  } catch (error) {
    if (error instanceof FlotillaError) throw error;
    throw new FlotillaError('BadFile', `${options.fileName} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  throw new FlotillaError('BadFile', `${options.fileName} holds no stack`);
}

function parse(options: ParseStackOptions, reader: Reader): Omit<ParsedStack, 'warnings'> | undefined {
  const { problems } = reader;
  const directory = options.directory ?? posix.resolve(posix.dirname(options.fileName));
  const file = parseYaml(options.text, problems);
  if (!file) return undefined;

  const environment = environmentOf(options, directory, reader);
  const variables = declaredVariables(file, options, reader, environment);
  const used = new Set<string>();
  const lookup: Lookup = (name) => {
    used.add(name);
    return variables.lookup(name) ?? own(options.set, name) ?? environment(name);
  };
  const root = file.read({ lookup, literalKeys: new Set(['variables']) });
  const fields = root && reader.fields(root, 'the file', 'at the top level', topLevelRules);
  if (!fields) return undefined;
  checkSet(reader, options.set, variables.names, used);

  const name = readName(options, reader, fields, directory);
  const version = readVersion(reader, fields);
  const isolate = readIsolate(reader, fields);
  const volumes = readVolumes(reader, fields.get('volumes'));
  const context = { reader, directory, readFile: options.readFile, lookup };
  const secrets = readStackFiles(context, fields.get('secrets'), 'secret');
  const configs = readStackFiles(context, fields.get('configs'), 'config');
  checkTopNetworks(reader, fields.get('networks'));
  const declared = {
    volumes: declaredNames(fields.get('volumes')),
    secrets: declaredNames(fields.get('secrets')),
    configs: declaredNames(fields.get('configs')),
  };
  const home = options.environment.HOME;
  const services = readServices(fields, (where) => ({ ...context, where, home, declared }), reader);
  if (!services) return undefined;
  const spec: StackSpec = {
    ...(version === undefined ? {} : { version }),
    ...(isolate ? { isolate } : {}),
    services,
    ...(Object.keys(volumes).length > 0 ? { volumes } : {}),
    ...(Object.keys(secrets).length > 0 ? { secrets } : {}),
    ...(Object.keys(configs).length > 0 ? { configs } : {}),
  };
  return { name, namespace: name, spec };
}

/** The user's environment, then `.env` beside the file. */
function environmentOf(options: ParseStackOptions, directory: string, reader: Reader): Lookup {
  const path = posix.join(directory, '.env');
  const fromUser: Lookup = (name) => own(options.environment, name);
  let text: string;
  try {
    text = Buffer.from(options.readFile(path)).toString('utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') {
      reader.problems.add(startOfFile, `cannot be read: ${messageOf(error)}`, undefined, '.env');
    }
    return fromUser;
  }
  const { values, problems } = parseEnvFile(text, { lookup: fromUser });
  for (const { at, message, hint } of problems) reader.problems.add(at, message, hint, '.env');
  return (name) => fromUser(name) ?? values.get(name);
}

/** `variables` is read first and as it stands: everything else may use them. */
function declaredVariables(file: YamlFile, options: ParseStackOptions, reader: Reader, environment: Lookup): Variables {
  const quiet = new Problems(options.fileName); // what is wrong elsewhere is reported by the second reading
  const root = file.readWith({ lookup: () => '', literalKeys: new Set(['variables']) }, quiet);
  const source = root?.type === 'map' ? root.entries.get('variables')?.value : undefined;
  const isEmpty = source?.type === 'scalar' && source.value === null;
  return readVariables(reader, isEmpty ? undefined : source, { set: options.set, environment });
}

function readName(options: ParseStackOptions, reader: Reader, fields: Fields, directory: string): string {
  const source = fields.get('name');
  const written = source && reader.string(source, '"name"');
  const name = options.projectName ?? written ?? toName(posix.basename(directory));
  const at = options.projectName === undefined ? fields.keyAt('name') : startOfFile;
  if (!isServiceName(name)) {
    reader.problems.add(
      at,
      `"${name}" is no name of a stack`,
      `lower-case letters, digits and "-", such as ${toName(name)}`,
    );
  } else if (reservedNames.has(name)) {
    reader.problems.add(at, `the name "${name}" is taken by Flotilla itself`, 'give another one with "name" or --name');
  }
  return name;
}

/** The stack's own version (`1.2.0`), or Compose's obsolete one (`3.8`), which nobody reads any more. */
function readVersion(reader: Reader, fields: Fields): string | undefined {
  const source = fields.get('version');
  const text = source && reader.text(source, '"version"');
  if (!source || text === undefined) return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) {
    reader.problems.warn(
      fields.keyAt('version'),
      `"version: ${text}" has no effect`,
      'Compose files have no version any more; remove it',
    );
    return undefined;
  }
  if (/^\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?$/.test(text)) return text;
  return reader.problems.add(source.at, `"version" must be like 1.2.0, not "${text.slice(0, 40)}"`);
}

/** Only its own pods, the hosts, and whoever calls a published port, may connect to the pods of the stack. */
function readIsolate(reader: Reader, fields: Fields): boolean | undefined {
  const source = fields.get('isolate');
  return source && reader.boolean(source, '"isolate"');
}

function readServices(
  fields: Fields,
  contextOf: (where: string) => ServiceContext,
  reader: Reader,
): Record<string, StackService> | undefined {
  const source = fields.get('services');
  if (!source) return reader.problems.add(fields.keyAt('services'), 'the file has no "services"');
  const map = reader.map(source, '"services"');
  if (!map) return undefined;
  const entries = [...map.entries].filter(([name]) => !name.startsWith('x-'));
  if (entries.length === 0) return reader.problems.add(source.at, '"services" is empty');
  const names = new Set(entries.map(([name]) => name));
  const services = new Map<string, StackService>();
  const dependencies = new Map<string, DependencyPlaces>();
  const links: Link[] = [];
  for (const [name, { at, value }] of entries) {
    const where = `of service "${name}"`;
    if (!isServiceName(name)) {
      reader.problems.add(at, `"${name}" is no name of a service`, `it becomes a DNS name: write ${toName(name)}`);
    }
    const own = serviceFields(reader, value, name);
    const service = own && readService(contextOf(where), own);
    const waits = own?.get('depends_on');
    if (waits) dependencies.set(name, readDependsOn(reader, waits, where, names));
    const linked = own?.get('links');
    for (const link of linked ? readLinks(reader, linked, where, names) : []) {
      links.push(link);
      // As in Compose, what is linked is started first.
      const places = dependencies.get(name) ?? new Map();
      if (!places.has(link.service)) places.set(link.service, { at: link.at, condition: 'service_started' });
      dependencies.set(name, places);
    }
    if (service) services.set(name, service);
  }
  for (const { service, alias } of links) {
    const target = services.get(service);
    if (target && alias !== undefined) target.aliases = [...new Set([...(target.aliases ?? []), alias])];
  }
  const found = Object.fromEntries(services);
  checkIngress(reader, found, (name) => map.entries.get(name)?.at ?? startOfFile);
  checkDependencies(reader, found, dependencies);
  for (const [name, service] of services) {
    const waits = [...(dependencies.get(name) ?? [])].map(
      ([target, { condition }]) => [target, { condition }] as const,
    );
    if (waits.length > 0) service.dependsOn = Object.fromEntries(waits);
    const isOnce = service.restart === 'no' || service.restart === 'on-failure';
    if (isOnce && service.instances > 1) {
      reader.problems.add(
        map.entries.get(name)?.at ?? startOfFile,
        `service "${name}" runs once and cannot have ${service.instances} instances`,
      );
    }
  }
  return found;
}

function declaredNames(source: Source | undefined): Set<string> {
  return new Set(source?.type === 'map' ? source.entries.keys() : []);
}

function own(record: Readonly<Record<string, string | undefined>>, name: string): string | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

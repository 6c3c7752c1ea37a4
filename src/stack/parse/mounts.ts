import { posix } from 'node:path';
import { nearest } from '../../lib/nearest.ts';
import { parseBytes } from '../../lib/quantities.ts';
import type { StackMount } from '../../resources/stack-types.ts';
import { objectName } from '../object-names.ts';
import { bindRules, fileMountRules, mountRules, mountTmpfsRules, mountVolumeRules } from './keys.ts';
import type { Position } from './problems.ts';
import type { Fields, Reader } from './reader.ts';
import type { Source } from './source.ts';

export interface MountContext {
  readonly reader: Reader;
  /** `of service "web"`. */
  readonly where: string;
  /** Of the file: relative paths begin here. Absolute. */
  readonly directory: string;
  /** For `~`. */
  readonly home: string | undefined;
  /** Names declared at the top level. */
  readonly declared: {
    readonly volumes: ReadonlySet<string>;
    readonly secrets: ReadonlySet<string>;
    readonly configs: ReadonlySet<string>;
  };
}

export function readMounts(context: MountContext, source: Source): StackMount[] {
  const { reader, where } = context;
  const mounts = (reader.list(source, `"volumes" ${where}`) ?? []).map((item) =>
    item.type === 'map' ? readLongMount(context, item) : readShortMount(context, item),
  );
  return mounts.filter((mount) => mount !== undefined);
}

/** `data:/var/lib/data`, `./conf:/etc/conf:ro`. */
function readShortMount(context: MountContext, source: Source): StackMount | undefined {
  const { reader, where } = context;
  const text = reader.string(source, `a volume ${where}`);
  if (text === undefined) return undefined;
  const [from = '', to, mode = '', ...rest] = text.split(':');
  const refuse = (message: string, hint?: string): undefined =>
    reader.problems.add(source.at, `volume "${text}" ${where}: ${message}`, hint);
  if (to === undefined)
    return refuse(
      'a volume without a name',
      `give it one: <name>:${from}, and declare the name in the top-level volumes`,
    );
  if (rest.length > 0) return refuse('too many colons', 'write SOURCE:TARGET or SOURCE:TARGET:ro');
  let isReadOnly = false;
  for (const option of mode.split(',').filter((one) => one !== '')) {
    if (option === 'ro') isReadOnly = true;
    else if (['cached', 'delegated', 'consistent', 'z', 'Z'].includes(option)) {
      reader.problems.warn(source.at, `option "${option}" of volume "${text}" ${where} has no effect`);
    } else if (option !== 'rw') return refuse(`option "${option}" is not supported`, 'known are ro and rw');
  }
  const type = /^[./~]/.test(from) ? 'bind' : 'volume';
  return mountOf(context, type, from, to, isReadOnly, source.at);
}

function mountOf(
  context: MountContext,
  type: 'bind' | 'volume',
  from: string,
  to: string,
  isReadOnly: boolean,
  at: Position,
): StackMount | undefined {
  const target = readTarget(context, to, at);
  const source = type === 'bind' ? hostPath(context, from, at) : volumeName(context, from, at);
  if (target === undefined || source === undefined) return undefined;
  return { type, source, target, ...(isReadOnly ? { readOnly: true } : {}) };
}

function readTarget({ reader, where }: MountContext, target: string, at: Position): string | undefined {
  if (!posix.isAbsolute(target))
    return reader.problems.add(at, `the target "${target}" of a volume ${where} must be an absolute path`);
  const path = posix.normalize(target).replace(/(.)\/$/, '$1');
  return path === '/' ? reader.problems.add(at, `a volume ${where} cannot be mounted at /`) : path;
}

function hostPath(context: MountContext, path: string, at: Position): string | undefined {
  if (path.startsWith('~')) {
    const { home, reader, where } = context;
    if (home === undefined || !/^~(\/|$)/.test(path)) {
      return reader.problems.add(at, `"${path}" of a volume ${where}: only ~/ of the user who deploys is known`);
    }
    return posix.join(home, path.slice(1));
  }
  return posix.resolve(context.directory, path);
}

function volumeName(context: MountContext, name: string, at: Position): string | undefined {
  const declared = declaredName(context, name, at, 'volume', context.declared.volumes);
  return declared === undefined ? undefined : objectName(declared); // Compose allows `my_data`, a name of an object must be `my-data`
}

function declaredName(
  { reader, where }: MountContext,
  name: string,
  at: Position,
  kind: string,
  declared: ReadonlySet<string>,
): string | undefined {
  if (declared.has(name)) return name;
  const near = nearest(name, declared);
  const hint =
    near === undefined ? `declare it: ${kind}s: {${name || 'NAME'}: …}, at the top level` : `did you mean "${near}"?`;
  return reader.problems.add(at, `${kind} "${name}" ${where} is not declared`, hint);
}

function readLongMount(context: MountContext, item: Source): StackMount | undefined {
  const { reader, where } = context;
  const fields = reader.fields(item, `a volume ${where}`, `in "volumes" ${where}`, mountRules);
  if (!fields) return undefined;
  const text = (key: string): string | undefined => {
    const source = fields.get(key);
    return source && reader.string(source, `"${key}" of a volume ${where}`);
  };
  const readOnlySource = fields.get('read_only');
  const isReadOnly = readOnlySource
    ? reader.boolean(readOnlySource, `"read_only" of a volume ${where}`) === true
    : false;
  const typeSource = fields.get('type');
  const type = typeSource
    ? reader.oneOf(typeSource, `"type" of a volume ${where}`, ['volume', 'bind', 'tmpfs'])
    : missing(reader, fields, 'type', where);
  const to = fields.get('target') ? text('target') : missing(reader, fields, 'target', where);
  checkOptions(reader, fields, where, type);
  if (type === undefined || to === undefined) return undefined;
  if (type === 'tmpfs') return tmpfsMount(context, fields, to);
  const from = fields.get('source') ? text('source') : missing(reader, fields, 'source', where);
  return from === undefined ? undefined : mountOf(context, type, from, to, isReadOnly, fields.at);
}

function missing(reader: Reader, fields: Fields, key: string, where: string): undefined {
  return reader.problems.add(fields.at, `a volume ${where} has no "${key}"`);
}

/** Options of another type than the mount's are a mistake, not noise. */
function checkOptions(reader: Reader, fields: Fields, where: string, type: string | undefined): void {
  for (const key of ['bind', 'volume', 'tmpfs'] as const) {
    const source = fields.get(key);
    if (source && type !== undefined && key !== type) {
      reader.problems.add(fields.keyAt(key), `"${key}" ${where} does not belong to a volume of type ${type}`);
    }
  }
  const bind = fields.get('bind');
  const create =
    bind && reader.fields(bind, `"bind" ${where}`, `in "bind" ${where}`, bindRules)?.get('create_host_path');
  if (create && reader.boolean(create, `"create_host_path" ${where}`) === false) {
    reader.problems.add(
      create.at,
      `"create_host_path: false" ${where} is not supported`,
      'a missing directory is made on the host',
    );
  }
  const volume = fields.get('volume');
  if (volume) reader.fields(volume, `"volume" ${where}`, `in "volume" ${where}`, mountVolumeRules);
}

function tmpfsMount(context: MountContext, fields: Fields, to: string): StackMount | undefined {
  const { reader, where } = context;
  for (const key of ['source', 'read_only']) {
    if (fields.get(key))
      reader.problems.add(fields.keyAt(key), `"${key}" ${where} does not belong to a volume of type tmpfs`);
  }
  const target = readTarget(context, to, fields.at);
  const options = fields.get('tmpfs');
  const size =
    options && reader.fields(options, `"tmpfs" ${where}`, `in "tmpfs" ${where}`, mountTmpfsRules)?.get('size');
  const sizeBytes = size && readBytes(reader, size, `"size" of a tmpfs ${where}`);
  if (target === undefined) return undefined;
  return { type: 'tmpfs', target, ...(sizeBytes === undefined ? {} : { sizeBytes }) };
}

export function readBytes(reader: Reader, source: Source, what: string): number | undefined {
  const scalar = reader.scalar(source, what, 'a size such as 512m');
  if (!scalar) return undefined;
  const bytes = parseBytes(scalar.text);
  return bytes && bytes > 0
    ? bytes
    : reader.problems.add(scalar.at, `${what} must be a size such as 512m, not "${scalar.text}"`);
}

/** Compose's own key: `/run`, `/tmp:size=64m`. */
export function readTmpfs(context: MountContext, source: Source): StackMount[] {
  const { reader, where } = context;
  return (reader.strings(source, `"tmpfs" ${where}`) ?? []).flatMap((text): StackMount[] => {
    const [to = '', options, ...rest] = text.split(':');
    const target = readTarget(context, to, source.at);
    if (target === undefined) return [];
    const size = options === undefined ? undefined : parseBytes(/^size=(.+)$/.exec(options)?.[1] ?? '');
    if (rest.length > 0 || (options !== undefined && !size)) {
      reader.problems.add(
        source.at,
        `tmpfs "${text}" ${where}: only the option size= is supported`,
        'such as /tmp:size=64m',
      );
      return [];
    }
    return [{ type: 'tmpfs', target, ...(size === undefined ? {} : { sizeBytes: size }) }];
  });
}

/** Secrets and configs of a service: names, or `{source, target, mode}`. */
export function readFileMounts(context: MountContext, source: Source, type: 'secret' | 'config'): StackMount[] {
  const { reader, where } = context;
  const home = type === 'secret' ? '/run/secrets/' : '/';
  const declared = type === 'secret' ? context.declared.secrets : context.declared.configs;
  return (reader.list(source, `"${type}s" ${where}`) ?? []).flatMap((item): StackMount[] => {
    if (item.type !== 'map') {
      const name = reader.string(item, `a ${type} ${where}`);
      if (name === undefined || declaredName(context, name, item.at, type, declared) === undefined) return [];
      return [{ type, source: name, target: `${home}${name}` }];
    }
    const fields = reader.fields(item, `a ${type} ${where}`, `in "${type}s" ${where}`, fileMountRules);
    if (!fields) return [];
    const nameSource = fields.get('source');
    if (!nameSource) {
      reader.problems.add(fields.at, `a ${type} ${where} has no "source"`);
      return [];
    }
    const name = reader.string(nameSource, `"source" of a ${type} ${where}`);
    const targetSource = fields.get('target');
    const wanted = targetSource ? reader.string(targetSource, `"target" of a ${type} ${where}`) : name;
    const modeSource = fields.get('mode');
    const mode = modeSource && readMode(reader, modeSource, `"mode" of a ${type} ${where}`);
    if (name === undefined || wanted === undefined) return [];
    if (declaredName(context, name, nameSource.at, type, declared) === undefined) return [];
    const target = readTarget(context, wanted.startsWith('/') ? wanted : `${home}${wanted}`, item.at);
    return target === undefined ? [] : [{ type, source: name, target, ...(mode === undefined ? {} : { mode }) }];
  });
}

/** Octal, as everybody writes it: `0440`, `"0440"`, `0o440`. */
function readMode(reader: Reader, source: Source, what: string): number | undefined {
  const scalar = reader.scalar(source, what, 'a file mode such as 0440');
  if (!scalar) return undefined;
  const digits = /^0o?([0-7]{3})$/.exec(scalar.text)?.[1];
  return digits === undefined
    ? reader.problems.add(scalar.at, `${what} must be a file mode such as 0440, not "${scalar.text}"`)
    : Number.parseInt(digits, 8);
}

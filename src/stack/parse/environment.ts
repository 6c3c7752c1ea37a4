import { posix } from 'node:path';
import { messageOf } from '../../lib/errors.ts';
import { configKey } from '../../resources/name-checks.ts';
import { parseEnvFile } from './env-file.ts';
import type { Lookup } from './interpolate.ts';
import { envFileRules } from './keys.ts';
import type { Reader } from './reader.ts';
import type { Source } from './source.ts';

export interface EnvironmentContext {
  readonly reader: Reader;
  /** `of service "web"`. */
  readonly where: string;
  readonly directory: string;
  readonly readFile: (path: string) => Uint8Array;
  readonly lookup: Lookup;
}

/** By name. `isSecret`: it came from an env file or from a variable, so it must not be shown. */
export type EnvironmentValues = Map<string, { readonly value: string; readonly isSecret: boolean }>;

const nameForm = /^[^=\0\s]+$/;

/** `environment`: a map, or a list of `NAME=value`. A name without a value takes the one of the user who deploys. */
export function readEnvironment(context: EnvironmentContext, source: Source): EnvironmentValues {
  const { reader, where } = context;
  const values: EnvironmentValues = new Map();
  const set = (name: string, at: Source['at'], value: string | undefined, isSecret: boolean): void => {
    if (!nameForm.test(name)) reader.problems.add(at, `"${name}" ${where} is no name of an environment variable`);
    else if (value?.includes('\0')) reader.problems.add(at, `the value of "${name}" ${where} holds a zero byte`);
    else if (isSecret && configKey(name).length > 0) {
      const hint = 'its value comes from a variable and is kept in a Secret: letters, digits, ".", "_" and "-"';
      reader.problems.add(at, `"${name}" ${where} is no name of a key of a Secret`, hint);
    } else if (value !== undefined) values.set(name, { value, isSecret });
    else passThrough(context, name, values);
  };
  if (source.type === 'map') {
    for (const [name, { at, value }] of source.entries) {
      if (value.type === 'scalar' && value.value === null) set(name, at, undefined, false);
      else {
        const text = reader.text(value, `the value of "${name}" in "environment" ${where}`);
        if (text !== undefined && value.type === 'scalar') set(name, at, text, value.usesVariable);
      }
    }
    return values;
  }
  for (const item of reader.list(source, `"environment" ${where}`) ?? []) {
    const text = reader.string(item, `an item of "environment" ${where}`);
    if (text === undefined || item.type !== 'scalar') continue;
    const equals = text.indexOf('=');
    if (equals < 0) set(text, item.at, undefined, false);
    else set(text.slice(0, equals), item.at, text.slice(equals + 1), item.usesVariable);
  }
  return values;
}

/** As in Compose: unset where it is not set. */
function passThrough(context: EnvironmentContext, name: string, values: EnvironmentValues): void {
  const value = context.lookup(name);
  if (value !== undefined) values.set(name, { value, isSecret: true });
}

/** `env_file`: a path, or a list of paths and `{path, required, format}`. Later files win. */
export function readEnvFiles(context: EnvironmentContext, source: Source): EnvironmentValues {
  const values: EnvironmentValues = new Map();
  const items = source.type === 'list' ? source.items : [source];
  for (const item of items) {
    const file = item.type === 'map' ? readLong(context, item) : readShort(context, item);
    if (!file) continue;
    const text = readText(context, file);
    if (text === undefined) continue;
    const result = parseEnvFile(text, { lookup: context.lookup, isRaw: file.isRaw });
    for (const { at, message, hint } of result.problems) context.reader.problems.add(at, message, hint, file.path);
    for (const [name, value] of result.values) {
      if (value === undefined) passThrough(context, name, values);
      else values.set(name, { value, isSecret: true });
    }
  }
  return values;
}

interface EnvFile {
  readonly at: Source['at'];
  readonly path: string;
  readonly isRequired: boolean;
  readonly isRaw: boolean;
}

function readShort({ reader, where }: EnvironmentContext, item: Source): EnvFile | undefined {
  const path = reader.string(item, `"env_file" ${where}`);
  return path === undefined ? undefined : { at: item.at, path, isRequired: true, isRaw: false };
}

function readLong({ reader, where }: EnvironmentContext, item: Source): EnvFile | undefined {
  const fields = reader.fields(item, `"env_file" ${where}`, `in "env_file" ${where}`, envFileRules);
  if (!fields) return undefined;
  const pathSource = fields.get('path');
  if (!pathSource) return reader.problems.add(fields.at, `"env_file" ${where} has no "path"`);
  const path = reader.string(pathSource, `"path" in "env_file" ${where}`);
  const required = fields.get('required');
  const isRequired = required ? reader.boolean(required, `"required" in "env_file" ${where}`) : true;
  const format = fields.get('format');
  const isRaw = format ? reader.oneOf(format, `"format" in "env_file" ${where}`, ['raw']) === 'raw' : false;
  return path === undefined ? undefined : { at: pathSource.at, path, isRequired: isRequired !== false, isRaw };
}

function readText(context: EnvironmentContext, file: EnvFile): string | undefined {
  try {
    return Buffer.from(context.readFile(posix.resolve(context.directory, file.path))).toString('utf8');
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    if (isMissing && !file.isRequired) return undefined;
    return context.reader.problems.add(
      file.at,
      isMissing
        ? `env_file "${file.path}" does not exist`
        : `env_file "${file.path}" cannot be read: ${messageOf(error)}`,
      isMissing
        ? 'its path begins at the directory of the stack file; "required: false" lets it be missing'
        : undefined,
    );
  }
}

import { posix } from 'node:path';
import { messageOf } from '../../lib/errors.ts';
import type { StackFile, StackVolume } from '../../resources/stack-types.ts';
import { objectName } from '../object-names.ts';
import type { Lookup } from './interpolate.ts';
import { configRules, externalRules, hints, networkRules, secretRules, volumeRules } from './keys.ts';
import { isComposeName, isObjectName, reportSameNames } from './names.ts';
import type { Fields, Reader } from './reader.ts';
import { readLabels } from './service.ts';
import type { Source } from './source.ts';

const maxFileBytes = 1 << 20;

export interface FilesContext {
  readonly reader: Reader;
  readonly directory: string;
  readonly readFile: (path: string) => Uint8Array;
  readonly lookup: Lookup;
}

/** Top-level `secrets` or `configs`: the contents of files, of environment variables, or (configs) as written. */
export function readStackFiles(
  context: FilesContext,
  source: Source | undefined,
  type: 'secret' | 'config',
): Record<string, StackFile> {
  const { reader } = context;
  const files = new Map<string, StackFile>();
  for (const [name, { at, value }] of (source && reader.map(source, `"${type}s"`))?.entries ?? []) {
    const where = `in ${type} "${name}"`;
    if (name.startsWith('x-')) continue;
    if (!isComposeName(name)) {
      reader.problems.add(at, `"${name}" is no name of a ${type}`, 'letters, digits, ".", "_" and "-"');
    }
    const fields = reader.fields(value, `${type} "${name}"`, where, type === 'secret' ? secretRules : configRules);
    const content = fields && readContent(context, fields, type, where);
    if (content === undefined) continue;
    if (content.byteLength > maxFileBytes)
      reader.problems.add(at, `${type} "${name}" has ${content.byteLength} bytes, more than 1 MiB`);
    else files.set(name, { data: Buffer.from(content).toString('base64') });
  }
  reportSameNames(reader.problems, source, `${type}s`);
  return Object.fromEntries(files);
}

function readContent(context: FilesContext, fields: Fields, type: string, where: string): Uint8Array | undefined {
  const { reader } = context;
  const given = ['file', 'environment', 'content'].filter((key) => fields.get(key));
  if (given.length !== 1) {
    const wanted = type === 'secret' ? '"file" or "environment"' : '"file", "environment" or "content"';
    return reader.problems.add(fields.at, `exactly one of ${wanted} must stand ${where}`);
  }
  const [key = ''] = given;
  const source = fields.get(key);
  const text = source && reader.string(source, `"${key}" ${where}`);
  if (!source || text === undefined) return undefined;
  if (key === 'content') return Buffer.from(text);
  if (key === 'environment') {
    const value = context.lookup(text);
    return value === undefined
      ? reader.problems.add(source.at, `environment variable "${text}" ${where} is not set`)
      : Buffer.from(value);
  }
  try {
    return context.readFile(posix.resolve(context.directory, text));
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return reader.problems.add(
      source.at,
      isMissing
        ? `file "${text}" ${where} does not exist`
        : `file "${text}" ${where} cannot be read: ${messageOf(error)}`,
      isMissing ? 'its path begins at the directory of the stack file' : undefined,
    );
  }
}

/** Top-level `volumes`. */
export function readVolumes(reader: Reader, source: Source | undefined): Record<string, StackVolume> {
  const volumes = new Map<string, StackVolume>();
  for (const [name, { at, value }] of (source && reader.map(source, '"volumes"'))?.entries ?? []) {
    if (name.startsWith('x-')) continue;
    const where = `in volume "${name}"`;
    const isEmpty = value.type === 'scalar' && value.value === null;
    const fields = isEmpty ? undefined : reader.fields(value, `volume "${name}"`, where, volumeRules);
    const volume = fields ? readVolume(reader, fields, name, where) : {};
    if (!isComposeName(name))
      reader.problems.add(at, `"${name}" is no name of a volume`, 'letters, digits, ".", "_" and "-"');
    if (volume.external !== undefined && !isObjectName(volume.external)) {
      reader.problems.add(at, `"${volume.external}" is no name of an existing volume`, 'see: flotilla volume ls');
    }
    volumes.set(objectName(name), volume);
  }
  reportSameNames(reader.problems, source, 'volumes');
  return Object.fromEntries(volumes);
}

function readVolume(reader: Reader, fields: Fields, name: string, where: string): StackVolume {
  const driver = fields.get('driver');
  if (driver && reader.string(driver, `"driver" ${where}`) !== 'local') {
    reader.problems.add(driver.at, `"driver" ${where} must be local`, 'a volume is a directory of one node');
  }
  const labelSource = fields.get('labels');
  const labels = labelSource && readLabels(reader, labelSource, `"labels" ${where}`);
  const external = readExternal(reader, fields, where);
  const nameSource = fields.get('name');
  const given = nameSource && reader.string(nameSource, `"name" ${where}`);
  if (nameSource && external === undefined) {
    reader.problems.add(
      fields.keyAt('name'),
      `"name" ${where} is only for external volumes`,
      'the volume is called <stack>-<key>',
    );
  }
  return {
    ...(external === undefined ? {} : { external: external || given || name }),
    ...(labels === undefined ? {} : { labels }),
  };
}

/** Its name, '' when only `true` is written, undefined when it is not external. */
function readExternal(reader: Reader, fields: Fields, where: string): string | undefined {
  const source = fields.get('external');
  if (!source) return undefined;
  if (source.type !== 'map') return reader.boolean(source, `"external" ${where}`) ? '' : undefined;
  const name = reader.fields(source, `"external" ${where}`, `in "external" ${where}`, externalRules)?.get('name');
  return name ? (reader.string(name, `"name" ${where}`) ?? '') : '';
}

/** Top-level `networks`: only `default`, as it is. */
export function checkTopNetworks(reader: Reader, source: Source | undefined): void {
  for (const [name, { at, value }] of (source && reader.map(source, '"networks"'))?.entries ?? []) {
    if (name.startsWith('x-')) continue;
    if (name !== 'default') {
      reader.problems.add(at, `network "${name}" is not supported`, hints.oneNetwork);
      continue;
    }
    if (value.type === 'scalar' && value.value === null) continue;
    const driver = reader.fields(value, 'network "default"', 'in network "default"', networkRules)?.get('driver');
    if (driver)
      reader.problems.warn(
        driver.at,
        '"driver" in network "default" has no effect',
        'every instance has an address in the network of the grid',
      );
  }
}

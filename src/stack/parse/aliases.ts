import { nearest } from '../../lib/nearest.ts';
import { hints } from './keys.ts';
import type { Position } from './problems.ts';
import type { Reader } from './reader.ts';
import type { Source } from './source.ts';

/** Another name under which a service of the file is to be found, and who wants it: `links` of Compose. */
export interface Link {
  readonly service: string;
  /** Absent: by its own name, which it has in any case. */
  readonly alias?: string;
  readonly at: Position;
}

/** What a name may be made of: labels of DNS, with `_` as Compose allows it. */
const aliasPattern = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
const maxAliasLength = 120;

/** `networks` of a service: only `default`; gives the further names that are asked for in it. */
export function readNetworks(reader: Reader, source: Source, where: string): string[] {
  const refuse = (name: string, at: Source['at']): void => {
    reader.problems.add(at, `network "${name}" ${where} is not supported`, hints.oneNetwork);
  };
  const aliases: string[] = [];
  if (source.type === 'map') {
    for (const [name, { at, value }] of source.entries) {
      if (name !== 'default') refuse(name, at);
      else if (value.type === 'map') aliases.push(...readOptions(reader, value, where));
      else if (value.type !== 'scalar' || value.value !== null) {
        reader.problems.add(value.at, `options of network "default" ${where} must be a map`);
      }
    }
    return aliases;
  }
  for (const item of reader.list(source, `"networks" ${where}`) ?? []) {
    const name = reader.string(item, `a network ${where}`);
    if (name !== undefined && name !== 'default') refuse(name, item.at);
  }
  return aliases;
}

function readOptions(reader: Reader, source: Extract<Source, { type: 'map' }>, where: string): string[] {
  const aliases: string[] = [];
  for (const [key, { at, value }] of source.entries) {
    if (key !== 'aliases') {
      reader.problems.add(at, `"${key}" of network "default" ${where} is not supported`, hints.oneNetwork);
      continue;
    }
    for (const item of reader.list(value, `"aliases" ${where}`) ?? []) {
      const text = reader.string(item, `an alias ${where}`);
      const alias = text === undefined ? undefined : checkAlias(reader, text, item.at, where);
      if (alias !== undefined) aliases.push(alias);
    }
  }
  return aliases;
}

/** `db`, `db:database`. */
export function readLinks(reader: Reader, source: Source, where: string, services: ReadonlySet<string>): Link[] {
  const links: Link[] = [];
  for (const item of reader.list(source, `"links" ${where}`) ?? []) {
    const text = reader.string(item, `an item of "links" ${where}`);
    if (text === undefined) continue;
    const colon = text.indexOf(':');
    const service = colon < 0 ? text : text.slice(0, colon);
    if (!services.has(service)) {
      const near = nearest(service, services);
      const hint = near === undefined ? undefined : `did you mean "${near}"?`;
      reader.problems.add(item.at, `"links" ${where} names "${service}", which is no service of this file`, hint);
      continue;
    }
    const alias = colon < 0 ? undefined : checkAlias(reader, text.slice(colon + 1), item.at, where);
    links.push({ service, at: item.at, ...(alias === undefined ? {} : { alias }) });
  }
  return links;
}

function checkAlias(reader: Reader, text: string, at: Position, where: string): string | undefined {
  const alias = text.toLowerCase();
  if (aliasPattern.test(alias) && alias.length <= maxAliasLength) return alias;
  reader.problems.add(at, `"${text}" ${where} cannot be a name in DNS`, 'letters, digits, "-", "_" and "."');
  return undefined;
}

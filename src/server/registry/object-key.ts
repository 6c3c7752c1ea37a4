import type { Kind } from '../../resources/kind.ts';

/** Everything that is an object lies below; `/meta/` and later neighbours do not. */
export const objectPrefix = '/o/';

/** `/o/<grid>/<group or core>/<plural>/[<namespace>/]<name>`. */
export function objectKey(grid: string, kind: Kind, namespace: string | undefined, name: string): string {
  const prefix = kindPrefix(grid, kind);
  return kind.namespaced ? `${prefix}${namespace ?? ''}/${name}` : `${prefix}${name}`;
}

/** The prefix of all objects of a kind in a grid; ends with `/`. */
export function kindPrefix(grid: string, kind: Kind): string {
  return `${objectPrefix}${grid}/${kind.group === '' ? 'core' : kind.group}/${kind.plural}/`;
}

export interface ParsedKey {
  readonly grid: string;
  readonly group: string;
  readonly plural: string;
  /** '' for cluster-wide kinds. */
  readonly namespace: string;
  readonly name: string;
}

/** Undefined for keys that are no objects. */
export function parseObjectKey(key: string): ParsedKey | undefined {
  if (!key.startsWith(objectPrefix)) return undefined;
  const [grid, group, plural, first, second, ...rest] = key.slice(objectPrefix.length).split('/');
  if (!grid || !group || !plural || !first || rest.length > 0) return undefined;
  const name = second === undefined ? first : second;
  return {
    grid,
    group: group === 'core' ? '' : group,
    plural,
    namespace: second === undefined ? '' : first,
    name,
  };
}

import type { Column, Kind, Subresource, Verb } from './kind.ts';
import type { ApiObject } from './object.ts';
import type { Message } from './schema.ts';

/** What the table of a kind states; everything else has a default. */
export type KindSpec<T extends ApiObject> = Pick<Kind<T>, 'group' | 'version' | 'kind' | 'plural'> & {
  readonly message: Message;
} & Partial<Omit<Kind<T>, 'singular' | 'subresources' | 'type'>> & {
    readonly subresources?: readonly Subresource[];
  };

export const allVerbs: readonly Verb[] = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
];

export function defineKind<T extends ApiObject>(spec: KindSpec<T>): Kind<T> {
  const isOurs = spec.group === 'flotilla.dev';
  return {
    singular: spec.kind.toLowerCase(),
    shortNames: [],
    categories: [],
    namespaced: true,
    verbs: allVerbs,
    subresources: [],
    hasProtobuf: !isOurs,
    hasStrategicMerge: !isOurs,
    nameRule: 'subdomain',
    storageVersion: 1,
    migrations: {},
    encrypted: false,
    selectableFields: {},
    columns: [nameColumn(), ageColumn()],
    ...spec,
  };
}

export function nameColumn<T extends ApiObject>(): Column<T> {
  return {
    name: 'Name',
    type: 'string',
    format: 'name',
    description: 'Unique in its namespace.',
    value: (object) => object.metadata.name,
  };
}

export function ageColumn<T extends ApiObject>(): Column<T> {
  return {
    name: 'Age',
    type: 'string',
    description: 'Time since it was created.',
    value: (object, nowMs) => ageOf(object.metadata.creationTimestamp, nowMs),
  };
}

/** A column of text or numbers; `priority` 1 shows it with `-o wide` only. */
export function column<T extends ApiObject>(
  name: string,
  description: string,
  value: (object: T, nowMs: number) => string | number,
  options: { readonly type?: 'string' | 'integer'; readonly priority?: number } = {},
): Column<T> {
  return { name, type: options.type ?? 'string', priority: options.priority ?? 0, description, value };
}

/** `5s`, `3m20s`, `2h15m`, `4d`: how long ago; `<unknown>` without a time. */
export function ageOf(time: string | undefined, nowMs: number): string {
  return time === undefined ? '<unknown>' : humanDuration(nowMs - Date.parse(time));
}

/** Two units at most, fewer digits the longer it is, as kubectl shows ages. */
export function humanDuration(durationMs: number): string {
  const seconds = Math.floor(durationMs / 1000);
  // Clocks differ a little: the near future is now.
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return twoUnits(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return twoUnits(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (hours < 192) return twoUnits(days, 'd', hours % 24, 'h');
  if (days < 730) return `${days}d`;
  const years = Math.floor(days / 365);
  return years < 8 ? twoUnits(years, 'y', days % 365, 'd') : `${years}y`;
}

function twoUnits(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
}

export const statusSubresource = (kind: Pick<Kind, 'group' | 'version' | 'kind'>): Subresource => ({
  name: 'status',
  verbs: ['get', 'patch', 'update'],
  responseKind: { group: kind.group, version: kind.version, kind: kind.kind },
});

export const scaleSubresource: Subresource = {
  name: 'scale',
  verbs: ['get', 'patch', 'update'],
  responseKind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
};

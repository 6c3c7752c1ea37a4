import type { Kind } from './kind.ts';
import type { ApiObject } from './object.ts';

export interface TableOptions {
  /** Ages are counted to here. */
  readonly nowMs: number;
  /** What each row carries besides its cells. Default `Metadata`. */
  readonly includeObject?: 'None' | 'Metadata' | 'Object';
  /** Of the list. */
  readonly resourceVersion?: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
  /** In a watch only the first table has them. Default true. */
  readonly hasColumnDefinitions?: boolean;
}

/** `meta.k8s.io/v1` Table: what `kubectl get` shows. */
export interface Table {
  readonly kind: 'Table';
  readonly apiVersion: 'meta.k8s.io/v1';
  readonly metadata: {
    readonly resourceVersion?: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
  readonly columnDefinitions: readonly TableColumn[] | null;
  readonly rows: readonly TableRow[];
}

export interface TableColumn {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  readonly priority: number;
}

export interface TableRow {
  readonly cells: readonly (string | number)[];
  readonly object?: unknown;
}

export function renderTable<T extends ApiObject>(kind: Kind<T>, objects: readonly T[], options: TableOptions): Table {
  const { resourceVersion, remainingItemCount } = options;
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: {
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(options.continue === undefined ? {} : { continue: options.continue }),
      ...(remainingItemCount === undefined ? {} : { remainingItemCount }),
    },
    columnDefinitions: (options.hasColumnDefinitions ?? true) ? columnDefinitions(kind) : null,
    rows: objects.map((object) => renderRow(kind, object, options)),
  };
}

/** One row of the table, for lists that are not rendered in one piece. */
export function renderRow<T extends ApiObject>(
  kind: Kind<T>,
  object: T,
  { nowMs, includeObject = 'Metadata' }: Pick<TableOptions, 'nowMs' | 'includeObject'>,
): TableRow {
  return { cells: kind.columns.map((one) => one.value(object, nowMs)), ...rowObject(object, includeObject) };
}

function columnDefinitions(kind: Kind): TableColumn[] {
  return kind.columns.map(({ name, type, format = '', description, priority = 0 }) => ({
    name,
    type,
    format,
    description,
    priority,
  }));
}

function rowObject(object: ApiObject, include: 'None' | 'Metadata' | 'Object'): { object?: unknown } {
  if (include === 'None') return {};
  if (include === 'Object') return { object };
  return {
    object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata },
  };
}

import type { Command } from 'commander';
import { FlotillaError } from '../lib/errors.ts';
import { isObject } from '../resources/json.ts';

/** One column of a list; `isWide`: only with `-o wide`. */
export interface Column<T> {
  readonly title: string;
  readonly isWide?: boolean;
  value(item: T): string | number;
}

export interface List<T> {
  readonly columns: readonly Column<T>[];
  readonly items: readonly T[];
  /** What `-o name` and `-q` print. */
  name(item: T): string;
  /** What `-o json|yaml` print. Default: the items themselves. */
  readonly objects?: readonly unknown[];
  /** Printed to standard error in place of an empty table. */
  readonly empty: string;
}

export interface OutputFlags {
  readonly output?: string;
  readonly quiet?: boolean;
}

const formats = ['wide', 'json', 'yaml', 'name'];

export function addOutputFlags(command: Command): Command {
  return command.option('-o, --output <format>', formats.join('|')).option('-q, --quiet', 'names only');
}

export async function printList<T>(list: List<T>, flags: OutputFlags): Promise<void> {
  const format = flags.quiet ? 'name' : (flags.output ?? 'table');
  if (format === 'json' || format === 'yaml') return await printObject(list.objects ?? list.items, format);
  if (format === 'name') return list.items.length > 0 ? print(list.items.map(list.name).join('\n')) : undefined;
  if (format !== 'table' && format !== 'wide') {
    throw new FlotillaError('BadUsage', `unknown output format "${format}"`, { hint: `one of ${formats.join(', ')}` });
  }
  if (list.items.length === 0) return void process.stderr.write(`${list.empty}\n`);
  const columns = list.columns.filter((column) => format === 'wide' || !column.isWide);
  print(
    renderTable(
      columns.map((column) => column.title),
      list.items.map((item) => columns.map((column) => String(column.value(item)))),
    ),
  );
}

/** Left-aligned columns, three spaces apart, as kubectl prints them. */
export function renderTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = titles.map((title, index) => Math.max(title.length, ...rows.map((row) => (row[index] ?? '').length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, index) => (index === cells.length - 1 ? cell : cell.padEnd(widths[index] ?? 0)))
      .join('   ')
      .trimEnd();
  return [line(titles), ...rows.map(line)].join('\n');
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** `json` or `yaml` of one object, or of several. */
export async function printObject(object: unknown, format: string): Promise<void> {
  const shown = withoutOwners(object);
  if (format === 'json') return print(JSON.stringify(shown, undefined, 2));
  if (format !== 'yaml') {
    throw new FlotillaError('BadUsage', `unknown output format "${format}"`, { hint: 'one of json, yaml' });
  }
  const { stringify } = await import('yaml');
  print(stringify(shown, { lineWidth: 0 }).trimEnd());
}

/** Who wrote which field is longer than the object, and seldom asked for: kubectl hides it, too. */
export function withoutOwners(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutOwners);
  if (!isObject(value) || !isObject(value.metadata)) return value;
  const { managedFields: _, ...metadata } = value.metadata;
  return { ...value, metadata };
}

import { nearest } from '../../lib/nearest.ts';
import type { Position, Problems } from './problems.ts';
import type { MapSource, ScalarSource, Source } from './source.ts';

/**
 * What happens with a key: `read` it, `refuse` it with a hint, or `warn` that it has no effect. Keys that stand in no
 * table are unknown. Nothing else exists: no key is accepted and ignored.
 */
export type KeyRule = 'read' | { readonly refuse: string } | { readonly warn: string };
export type KeyRules = Readonly<Record<string, KeyRule>>;

/** The keys of a map that are to be read. */
export class Fields {
  readonly at: Position;
  readonly #entries: ReadonlyMap<string, { readonly at: Position; readonly value: Source }>;

  constructor(at: Position, entries: Fields['entries']) {
    this.at = at;
    this.#entries = entries;
  }

  get entries(): ReadonlyMap<string, { readonly at: Position; readonly value: Source }> {
    return this.#entries;
  }

  /** Undefined when absent or null. */
  get(key: string): Source | undefined {
    const value = this.#entries.get(key)?.value;
    return value?.type === 'scalar' && value.value === null ? undefined : value;
  }

  /** Written, perhaps with null. */
  has(key: string): boolean {
    return this.#entries.has(key);
  }

  keyAt(key: string): Position {
    return this.#entries.get(key)?.at ?? this.at;
  }
}

/** Reads values of the wanted type; reports and gives undefined when they have another. `what` begins the message. */
export class Reader {
  readonly problems: Problems;

  constructor(problems: Problems) {
    this.problems = problems;
  }

  /** `where` ends messages: `in service "web"`. */
  fields(source: Source, what: string, where: string, rules: KeyRules): Fields | undefined {
    const map = this.map(source, what);
    if (!map) return undefined;
    const entries = new Map<string, { at: Position; value: Source }>();
    for (const [key, entry] of map.entries) {
      const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
      if (key.startsWith('x-')) continue;
      if (rule === undefined) this.#unknownKey(key, entry.at, where, rules);
      else if (rule === 'read') entries.set(key, entry);
      else if ('refuse' in rule) this.problems.add(entry.at, `"${key}" ${where} is not supported`, rule.refuse);
      else this.problems.warn(entry.at, `"${key}" ${where} has no effect`, rule.warn);
    }
    return new Fields(map.at, entries);
  }

  #unknownKey(key: string, at: Position, where: string, rules: KeyRules): void {
    const isRead = (name: string): boolean => rules[name] === 'read';
    const known = Object.keys(rules);
    const near = nearest(key, known.filter(isRead)) ?? nearest(key, known);
    const shown = key.length > 64 ? `${key.slice(0, 64)}…` : key;
    const hint = near === undefined ? `known are: ${known.filter(isRead).join(', ')}` : `did you mean "${near}"?`;
    this.problems.add(at, `unknown key "${shown}" ${where}`, hint);
  }

  map(source: Source, what: string): MapSource | undefined {
    if (source.type === 'map') return source;
    return this.problems.add(source.at, `${what} must be a map, not ${describe(source)}`);
  }

  list(source: Source, what: string): readonly Source[] | undefined {
    if (source.type === 'list') return source.items;
    return this.problems.add(source.at, `${what} must be a list, not ${describe(source)}`);
  }

  scalar(source: Source, what: string, wanted: string): ScalarSource | undefined {
    if (source.type === 'scalar' && source.value !== null) return source;
    return this.problems.add(source.at, `${what} must be ${wanted}, not ${describe(source)}`);
  }

  /** A string that was written as one. */
  string(source: Source, what: string): string | undefined {
    const scalar = this.scalar(source, what, 'a string');
    if (!scalar || typeof scalar.value === 'string') return scalar?.text;
    return this.problems.add(
      scalar.at,
      `${what} must be a string, not ${describe(scalar)}`,
      `put it into quotes: "${scalar.text}"`,
    );
  }

  /** A string, number or boolean, as it was written. */
  text(source: Source, what: string): string | undefined {
    return this.scalar(source, what, 'text')?.text;
  }

  integer(source: Source, what: string, range: { readonly min: number; readonly max: number }): number | undefined {
    const scalar = this.scalar(source, what, 'an integer');
    if (!scalar) return undefined;
    const isNumber = typeof scalar.value === 'number' || (scalar.isInterpolated && /^-?\d+$/.test(scalar.text));
    const value = Number(scalar.value);
    if (!isNumber || !Number.isSafeInteger(value)) {
      return this.problems.add(scalar.at, `${what} must be an integer, not ${describe(scalar)}`);
    }
    if (value >= range.min && value <= range.max) return value;
    return this.problems.add(scalar.at, `${what} must be from ${range.min} to ${range.max}, not ${value}`);
  }

  boolean(source: Source, what: string): boolean | undefined {
    const scalar = this.scalar(source, what, 'true or false');
    if (!scalar || typeof scalar.value === 'boolean') return scalar?.value as boolean | undefined;
    if (scalar.isInterpolated && ['true', 'false'].includes(scalar.text)) return scalar.text === 'true';
    return this.problems.add(scalar.at, `${what} must be true or false, not ${describe(scalar)}`);
  }

  oneOf<T extends string>(source: Source, what: string, allowed: readonly T[]): T | undefined {
    const scalar = this.scalar(source, what, `one of ${allowed.join(', ')}`);
    if (!scalar) return undefined;
    const found = allowed.find((one) => one === scalar.text);
    if (found !== undefined) return found;
    const near = nearest(scalar.text, allowed);
    const hint = near === undefined ? undefined : `did you mean "${near}"?`;
    return this.problems.add(scalar.at, `${what} must be one of ${allowed.join(', ')}, not ${describe(scalar)}`, hint);
  }

  /** A list of strings, or one string. */
  strings(source: Source, what: string): string[] | undefined {
    const items = source.type === 'list' ? source.items : [source];
    const strings = items.map((item) => this.string(item, what));
    return strings.every((one) => one !== undefined) ? strings : undefined;
  }
}

export function describe(source: Source): string {
  if (source.type !== 'scalar') return source.type === 'map' ? 'a map' : 'a list';
  if (source.value === null) return 'empty';
  const text = source.text.length > 40 ? `${source.text.slice(0, 40)}…` : source.text;
  if (source.usesVariable) return 'the value of a variable'; // perhaps a secret: not repeated
  return typeof source.value === 'string' ? `"${text}"` : `${typeof source.value} ${text}`;
}

import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  Scalar,
  type YAMLMap,
} from 'yaml';
import { messageOf } from '../../lib/errors.ts';
import { interpolate, type Lookup } from './interpolate.ts';
import type { Position, Problems } from './problems.ts';

/** YAML as it was written: values with their places, variables filled in, anchors and merge keys resolved. */
export type Source = ScalarSource | ListSource | MapSource;

export interface ScalarSource {
  readonly type: 'scalar';
  readonly at: Position;
  readonly value: string | number | boolean | null;
  /** As written (a number keeps its zeros); after interpolation. */
  readonly text: string;
  /** Had a `$…` in it: may be read as a number or boolean although it came as text. */
  readonly isInterpolated: boolean;
  /** Holds a variable's value: perhaps a secret. */
  readonly usesVariable: boolean;
}

export interface ListSource {
  readonly type: 'list';
  readonly at: Position;
  readonly items: readonly Source[];
}

export interface MapSource {
  readonly type: 'map';
  readonly at: Position;
  readonly entries: ReadonlyMap<string, { readonly at: Position; readonly value: Source }>;
}

export const startOfFile: Position = { line: 1, column: 1 };

/** Aliases make a small file large; a stack has a few thousand nodes. */
const maxNodes = 50_000;
const maxDepth = 64;
export const maxFileLength = 1_048_576;

export interface ReadOptions {
  readonly lookup: Lookup;
  /** Top-level keys whose content is taken as it is, without interpolation. */
  readonly literalKeys: ReadonlySet<string>;
}

export interface YamlFile {
  /** The tree, with variables filled in. */
  read(options: ReadOptions): Source | undefined;
  /** The same, reporting elsewhere. */
  readWith(options: ReadOptions, problems: Problems): Source | undefined;
}

/** Parses; reports what is no YAML. */
export function parseYaml(text: string, problems: Problems): YamlFile | undefined {
  if (text.length > maxFileLength)
    return problems.add(startOfFile, `the file has more than ${maxFileLength} characters`);
  const lineCounter = new LineCounter();
  const documents = parseDocuments(text, lineCounter, problems);
  const at = (offset: number): Position => {
    const { line, col } = lineCounter.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  if (documents === undefined) return undefined;
  const [document, second] = documents;
  if (document === undefined) return problems.add(startOfFile, 'the file is empty');
  for (const { pos, message } of [...document.errors, ...document.warnings])
    problems.add(at(pos[0]), yamlWords(message));
  if (second) problems.add(at(second.range[0]), 'a second YAML document begins here', 'write one stack a file');
  if (problems.hasAny) return undefined;
  return {
    read: (options) => new TreeReader(document, at, problems, options).read(),
    readWith: (options, others) => new TreeReader(document, at, others, options).read(),
  };
}

function parseDocuments(text: string, lineCounter: LineCounter, problems: Problems): Document.Parsed[] | undefined {
  try {
    const documents = parseAllDocuments(text, {
      lineCounter,
      prettyErrors: false,
      version: '1.2',
      uniqueKeys: true,
      logLevel: 'silent',
    });
    return Array.isArray(documents) ? documents : [];
  } catch (error) {
    return problems.add(startOfFile, `the file cannot be read as YAML: ${messageOf(error)}`); // such as: nested too deeply
  }
}

/** The library's messages begin with a capital and may show the line again. */
function yamlWords(message: string): string {
  const [first = message] = message.split('\n');
  return `malformed YAML: ${first}`;
}

class TreeReader {
  readonly #document: Document.Parsed;
  readonly #at: (offset: number) => Position;
  readonly #problems: Problems;
  readonly #options: ReadOptions;
  /** Anchors that are being read now: one that contains itself would never end. */
  readonly #open = new Set<Node>();
  #nodes = 0;

  constructor(document: Document.Parsed, at: (offset: number) => Position, problems: Problems, options: ReadOptions) {
    this.#document = document;
    this.#at = at;
    this.#problems = problems;
    this.#options = options;
  }

  read(): Source | undefined {
    const root = this.#document.contents;
    if (root === null) return this.#problems.add(startOfFile, 'the file is empty');
    try {
      return this.#node(root, 0, false);
    } catch (error) {
      if (!(error instanceof TooLarge)) throw error;
      return this.#problems.add(error.at, error.message);
    }
  }

  #node(node: Node, depth: number, isLiteral: boolean): Source {
    const at = this.#at(node.range?.[0] ?? 0);
    this.#nodes += 1;
    if (this.#nodes > maxNodes) throw new TooLarge(at, `the file has more than ${maxNodes} values, aliases counted`);
    if (depth > maxDepth) throw new TooLarge(at, `values are nested more than ${maxDepth} deep`);
    if (isAlias(node)) return this.#alias(node, depth, isLiteral);
    if (isMap(node)) return this.#map(node, at, depth, isLiteral);
    if (isSeq(node)) {
      const items = node.items.map((item) =>
        isPair(item) ? nothing(at) : this.#node(item as Node, depth + 1, isLiteral),
      );
      return { type: 'list', at, items };
    }
    return this.#scalar(node as Scalar, at, isLiteral);
  }

  #alias(node: Node, depth: number, isLiteral: boolean): Source {
    const at = this.#at(node.range?.[0] ?? 0);
    const target = isAlias(node) ? node.resolve(this.#document) : undefined;
    if (target === undefined || this.#open.has(target)) {
      this.#problems.add(at, target ? 'an anchor contains itself' : 'an alias without its anchor');
      return nothing(at);
    }
    this.#open.add(target);
    const source = this.#node(target, depth + 1, isLiteral);
    this.#open.delete(target);
    return source;
  }

  #map(node: YAMLMap, at: Position, depth: number, isLiteral: boolean): MapSource {
    const entries = new Map<string, { at: Position; value: Source }>();
    const merged: MapSource[] = [];
    for (const { key, value } of node.items) {
      const keyNode = key as Node | null;
      const keyAt = keyNode?.range ? this.#at(keyNode.range[0]) : at;
      if (!isScalar(keyNode)) {
        this.#problems.add(keyAt, 'a key must be a plain word');
        continue;
      }
      const name = keyNode.source ?? String(keyNode.value);
      const isLiteralBelow = isLiteral || (depth === 0 && this.#options.literalKeys.has(name));
      const child = value === null ? nothing(keyAt) : this.#node(value as Node, depth + 1, isLiteralBelow);
      if (name === '<<' && keyNode.type === Scalar.PLAIN) merged.push(...this.#mergedMaps(child));
      else entries.set(name, { at: keyAt, value: child });
    }
    // YAML's merge key: own entries win, then the first of several.
    for (const source of merged)
      for (const [name, entry] of source.entries) if (!entries.has(name)) entries.set(name, entry);
    return { type: 'map', at, entries };
  }

  #mergedMaps(source: Source): MapSource[] {
    const sources = source.type === 'list' ? source.items : [source];
    return sources.flatMap((one) => {
      if (one.type === 'map') return [one];
      this.#problems.add(one.at, 'the merge key "<<" needs a map or a list of maps');
      return [];
    });
  }

  #scalar(node: Scalar, at: Position, isLiteral: boolean): ScalarSource {
    const { value } = node;
    const isPlainType = value === null || ['string', 'number', 'boolean'].includes(typeof value);
    if (!isPlainType) this.#problems.add(at, `a value of type ${typeof value} is not supported`, 'put it into quotes');
    if (typeof value !== 'string' || isLiteral) {
      const text = typeof value === 'string' ? value : value === null ? '' : (node.source ?? String(value));
      const plain = isPlainType ? (value as ScalarSource['value']) : null;
      return { type: 'scalar', at, value: plain, text, isInterpolated: false, usesVariable: false };
    }
    const result = interpolate(value, this.#options.lookup);
    if (!result.ok) {
      this.#problems.add(this.#inside(node, at, result.offset), result.message, result.hint);
      return nothing(at);
    }
    const { text, usesVariable } = result;
    return { type: 'scalar', at, value: text, text, isInterpolated: value.includes('$'), usesVariable };
  }

  /** Where in the file the n-th character of a one-line scalar is; of others, where it begins. */
  #inside(node: Scalar, at: Position, offset: number): Position {
    const isBlock = node.type === Scalar.BLOCK_LITERAL || node.type === Scalar.BLOCK_FOLDED;
    if (isBlock || String(node.value).includes('\n')) return at;
    return { line: at.line, column: at.column + offset + (node.type === Scalar.PLAIN ? 0 : 1) };
  }
}

class TooLarge extends Error {
  readonly at: Position;
  constructor(at: Position, message: string) {
    super(message);
    this.at = at;
  }
}

/** Stands for a value that could not be read; its problem is reported already. */
function nothing(at: Position): ScalarSource {
  return { type: 'scalar', at, value: null, text: '', isInterpolated: false, usesVariable: false };
}

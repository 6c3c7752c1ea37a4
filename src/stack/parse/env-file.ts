import { interpolate, type Lookup } from './interpolate.ts';
import type { Position } from './problems.ts';

export interface EnvFileResult {
  /** In the order of the file; undefined: a bare name, whose value comes from the environment. */
  readonly values: ReadonlyMap<string, string | undefined>;
  readonly problems: readonly { readonly at: Position; readonly message: string; readonly hint?: string }[];
}

export interface EnvFileOptions {
  /** For `${…}` in values; the file's own earlier lines come first. */
  readonly lookup: Lookup;
  /** Values exactly as they stand, without quotes and variables (`format: raw`). */
  readonly isRaw?: boolean;
}

const assignment = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*(?:=[ \t]*)?/;

/** Compose's env files: `KEY=value`, `export KEY=…`, comments, single (literal) and double quotes over several lines. */
export function parseEnvFile(file: string, options: EnvFileOptions): EnvFileResult {
  const values = new Map<string, string | undefined>();
  const problems: { at: Position; message: string; hint?: string }[] = [];
  const lookup: Lookup = (name) => values.get(name) ?? options.lookup(name);
  const lines = file.replace(/^\uFEFF/, '').split(/\r?\n/);
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? '';
    if (/^\s*(#|$)/.test(line)) continue;
    const at = { line: index + 1, column: 1 };
    const match = assignment.exec(line);
    if (!match?.[1]) {
      problems.push({ at, message: 'no line of the form KEY=value' });
      continue;
    }
    const name = match[1];
    const rest = line.slice(match[0].length);
    if (!match[0].includes('=')) {
      if (/^\s*(#.*)?$/.test(rest)) values.set(name, undefined);
      else problems.push({ at, message: `"${name}" is not followed by "="` });
      continue;
    }
    if (options.isRaw) {
      values.set(name, line.slice(line.indexOf('=') + 1));
      continue;
    }
    const value = readValue(rest, lines, index);
    if (!value) {
      problems.push({ at, message: `the quote of "${name}" is never closed` });
      break;
    }
    index = value.lastIndex;
    const text = value.isDouble ? withoutEscapes(value.text) : value.text;
    const result = value.isLiteral ? { ok: true as const, text } : interpolate(text, lookup);
    if (result.ok) values.set(name, result.text);
    else problems.push({ at, message: `"${name}": ${result.message}`, ...(result.hint ? { hint: result.hint } : {}) });
  }
  return { values, problems };
}

interface RawValue {
  readonly text: string;
  readonly isLiteral: boolean;
  readonly isDouble: boolean;
  /** Of the line where it ends. */
  readonly lastIndex: number;
}

function readValue(rest: string, lines: readonly string[], index: number): RawValue | undefined {
  const quote = rest[0];
  if (quote !== '"' && quote !== "'") {
    const text = rest.replace(/(^|\s)#.*$/, '').trim();
    return { text, isLiteral: false, isDouble: false, lastIndex: index };
  }
  let text = rest.slice(1);
  for (let last = index; ; ) {
    const end = closingQuote(text, quote);
    if (end >= 0)
      return { text: text.slice(0, end), isLiteral: quote === "'", isDouble: quote === '"', lastIndex: last };
    last += 1;
    if (last >= lines.length || text.length > 1_048_576) return undefined;
    text += `\n${lines[last] ?? ''}`;
  }
}

function closingQuote(text: string, quote: string): number {
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\' && quote === '"') at += 1;
    else if (text[at] === quote) return at;
  }
  return -1;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\', $: '$$' };

function withoutEscapes(text: string): string {
  return text.replace(/\\(.)/g, (whole, character: string) => escapes[character] ?? whole);
}

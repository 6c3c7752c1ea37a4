// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Compose writes its variables like that
export interface Interpolated {
  readonly text: string;
  /** A variable's value is part of the text (a default written in the file is not). */
  readonly usesVariable: boolean;
}

export type InterpolationResult =
  | ({ readonly ok: true } & Interpolated)
  | { readonly ok: false; readonly offset: number; readonly message: string; readonly hint?: string };

/** The value of a variable; undefined when it is not set. */
export type Lookup = (name: string) => string | undefined;

const name = /[A-Za-z_][A-Za-z0-9_]*/y;
const maxDepth = 20;

/**
 * Compose's interpolation: `$VAR`, `${VAR}`, `${VAR:-default}`, `${VAR-default}`, `${VAR:?message}`, `${VAR?message}`,
 * `${VAR:+other}`, `${VAR+other}`, nested in defaults, and `$$` for a dollar sign.
 */
export function interpolate(text: string, lookup: Lookup): InterpolationResult {
  if (!text.includes('$')) return { ok: true, text, usesVariable: false };
  try {
    const parser = new Interpolation(text, lookup);
    const result = parser.run(0, undefined);
    return { ok: true, text: result, usesVariable: parser.usesVariable };
  } catch (error) {
    if (!(error instanceof InterpolationError)) throw error;
    const { offset, message, hint } = error;
    return { ok: false, offset, message, ...(hint === undefined ? {} : { hint }) };
  }
}

class InterpolationError extends Error {
  readonly offset: number;
  readonly hint: string | undefined;
  constructor(offset: number, message: string, hint?: string) {
    super(message);
    this.offset = offset;
    this.hint = hint;
  }
}

class Interpolation {
  usesVariable = false;
  readonly #text: string;
  readonly #lookup: Lookup;
  #at = 0;

  constructor(text: string, lookup: Lookup) {
    this.#text = text;
    this.#lookup = lookup;
  }

  /** Until `}` when `openedAt` says where its `${` is, else to the end. */
  run(depth: number, openedAt: number | undefined): string {
    if (depth > maxDepth) throw new InterpolationError(this.#at, 'variables are nested too deeply');
    let out = '';
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at];
      if (character === '}' && openedAt !== undefined) return out;
      if (character === '$') out += this.#dollar(depth);
      else {
        out += character;
        this.#at += 1;
      }
    }
    if (openedAt !== undefined) throw new InterpolationError(openedAt, '"${" is never closed');
    return out;
  }

  #dollar(depth: number): string {
    const start = this.#at;
    const next = this.#text[start + 1];
    if (next === '$') {
      this.#at += 2;
      return '$';
    }
    if (next === '{') {
      this.#at += 2;
      return this.#braced(start, depth);
    }
    this.#at += 1;
    const variable = this.#name();
    if (variable === undefined) {
      throw new InterpolationError(start, 'a single "$" stands before no variable', 'write $$ for a dollar sign');
    }
    return this.#required(variable, start);
  }

  #braced(start: number, depth: number): string {
    const variable = this.#name();
    if (variable === undefined) throw new InterpolationError(start, '"${" is followed by no variable name');
    const operator = /:?[-?+]|\}/y;
    operator.lastIndex = this.#at;
    const match = operator.exec(this.#text)?.[0];
    if (match === undefined && this.#at >= this.#text.length) {
      throw new InterpolationError(start, '"${" is never closed');
    }
    if (match === undefined) {
      throw new InterpolationError(
        start,
        `\${${variable} is followed by something that is no operator`,
        'known are :- - :? ? :+ +',
      );
    }
    this.#at += match.length;
    if (match === '}') return this.#required(variable, start);
    const value = this.#lookup(variable);
    const isThere = value !== undefined && !(match.startsWith(':') && value === '');
    const before = this.usesVariable;
    const rest = this.#lazily(depth, start, match.endsWith('+') ? isThere : !isThere);
    this.#at += 1;
    if (match.endsWith('+')) return isThere ? rest : '';
    if (isThere) {
      this.usesVariable = true;
      return value;
    }
    if (match.endsWith('?')) {
      this.usesVariable = before;
      throw new InterpolationError(
        start,
        `variable "${variable}" is not set${rest === '' ? '' : `: ${rest}`}`,
        setHint(variable),
      );
    }
    return rest;
  }

  /** What follows the operator; without any effect of its variables when it is not used. */
  #lazily(depth: number, start: number, isUsed: boolean): string {
    if (isUsed) return this.run(depth + 1, start);
    const skipper = new Interpolation(this.#text, () => '');
    skipper.#at = this.#at;
    skipper.run(depth + 1, start);
    this.#at = skipper.#at;
    return '';
  }

  #required(variable: string, start: number): string {
    const value = this.#lookup(variable);
    if (value === undefined) {
      throw new InterpolationError(start, `variable "${variable}" is not set`, setHint(variable));
    }
    this.usesVariable = true;
    return value;
  }

  #name(): string | undefined {
    name.lastIndex = this.#at;
    const found = name.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }
}

function setHint(variable: string): string {
  return `give --set ${variable}=…, put it into .env, or write a default: \${${variable}:-…}`;
}

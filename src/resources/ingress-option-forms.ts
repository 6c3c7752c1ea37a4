// The forms that values of ingress options have: one text each, as it stands in an annotation.
import { isIP } from 'node:net';
import { nearest } from '../lib/nearest.ts';
import { parseBytes, parseDurationMs } from '../lib/quantities.ts';
import { dnsSubdomain, ipRange } from './name-checks.ts';

/** A value, or a sentence about what is wrong with the text. */
export type Reading<T> = { readonly value: T } | { readonly problem: string };

/** How a text becomes a value. */
export interface OptionForm<T> {
  /** As documentation says it: `duration`, `true or false`. */
  readonly words: string;
  /** What it is made of in a stack file. */
  readonly yaml: 'text' | 'list' | 'map';
  /** Never throws. Lines and other control characters have been refused. */
  read(text: string): Reading<T>;
}

type Check = (value: string) => string | undefined;

export const flag: OptionForm<boolean> = {
  words: 'true or false',
  yaml: 'text',
  read: (text) => (text === 'true' || text === 'false' ? { value: text === 'true' } : must('be true or false')),
};

export function oneOf<const T extends string>(...allowed: readonly T[]): OptionForm<T> {
  return {
    words: allowed.map((one) => `\`${one}\``).join(', '),
    yaml: 'text',
    read: (text) => {
      const value = allowed.find((one) => one === text);
      if (value !== undefined) return { value };
      const near = nearest(text, allowed);
      return must(`be one of ${allowed.join(', ')}${near === undefined ? '' : `; did you mean "${near}"?`}`);
    },
  };
}

/** Milliseconds, whole ones. */
export function duration(minMs: number, maxText: string): OptionForm<number> {
  const maxMs = parseDurationMs(maxText) ?? 0;
  return {
    words: 'duration',
    yaml: 'text',
    read: (text) => {
      const value = Math.round(parseDurationMs(text) ?? Number.NaN);
      if (value >= minMs && value <= maxMs) return { value };
      return must(`be a duration such as 500ms, 5s or 1m30s, from ${minMs}ms to ${maxText}`);
    },
  };
}

/** Whole seconds of a duration. */
export function seconds(maxText: string): OptionForm<number> {
  const maxMs = parseDurationMs(maxText) ?? 0;
  return {
    words: 'duration',
    yaml: 'text',
    read: (text) => {
      const ms = parseDurationMs(text) ?? Number.NaN;
      if (ms <= maxMs && ms % 1_000 === 0) return { value: ms / 1_000 };
      return must(`be a duration of whole seconds such as 180d or 24h, up to ${maxText}`);
    },
  };
}

export function count(min: number, max: number): OptionForm<number> {
  return {
    words: `${min}–${max}`,
    yaml: 'text',
    read: (text) => {
      const value = Number(text);
      return /^(0|[1-9]\d{0,9})$/.test(text) && value >= min && value <= max
        ? { value }
        : must(`be a number from ${min} to ${max}`);
    },
  };
}

export function bytes(max: string): OptionForm<number> {
  const most = parseBytes(max) ?? 0;
  return {
    words: 'size',
    yaml: 'text',
    read: (text) => {
      const value = parseBytes(text);
      if (value !== undefined && value >= 1 && value <= most) return { value };
      return must(`be a size such as 512k, 10m or 1g, up to ${max}`);
    },
  };
}

/** A text that `check` finds nothing wrong with; what it says ends `must …`. */
export function text(words: string, check: Check): OptionForm<string> {
  return {
    words,
    yaml: 'text',
    read: (value) => {
      const problem = check(value);
      return problem === undefined ? { value } : must(problem);
    },
  };
}

const maxItems = 256;

/** Separated by commas; each once, in the form that `normal` gives it. */
export function list(words: string, check: Check, normal: (item: string) => string = (item) => item) {
  const form: OptionForm<readonly string[]> = {
    words,
    yaml: 'list',
    read: (value) => {
      const items = value.split(',').map((item) => item.trim());
      if (items.length > maxItems) return must(`have at most ${maxItems} items`);
      for (const item of items) {
        const problem = item === '' ? 'have no empty item' : check(item);
        if (problem !== undefined) return must(item === '' ? problem : `${problem}; "${shown(item)}" is not`);
      }
      return { value: [...new Set(items.map(normal))] };
    },
  };
  return form;
}

/** Networks of either family; an address stands for itself. */
export const networks = list(
  'addresses and networks',
  (item) => {
    const isRight = item.includes('/') ? ipRange(item).length === 0 : isIP(item) > 0;
    return isRight ? undefined : 'be addresses or networks such as 192.0.2.7 or 10.0.0.0/8';
  },
  (item) => (item.includes('/') ? item : `${item}/${isIP(item) === 6 ? 128 : 32}`),
);

/** Those that say where a message ends, and how a connection goes on: who changes them lets one request hide in another. */
const framing = [
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
];
const untouchable: ReadonlySet<string> = new Set([...framing, 'upgrade']);
const headerNamePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

export function headerNameProblem(name: string): string | undefined {
  if (!headerNamePattern.test(name)) return 'have names of headers such as X-Frame-Options';
  if (untouchable.has(name.toLowerCase())) return 'leave alone headers that frame messages';
  return undefined;
}

const maxHeaderValue = 4_096;

function headerValueProblem(value: string): string | undefined {
  if (!/^[\x20-\x7e]*$/.test(value)) return 'have values of printable ASCII characters';
  return value.length > maxHeaderValue ? `have values of at most ${maxHeaderValue} characters` : undefined;
}

export const headerNames = list('names of headers', headerNameProblem);

/** Of requests: without Host there is no HTTP/1.1. */
export const removableHeaderNames = list('names of headers', (name) =>
  name.toLowerCase() === 'host' ? 'leave alone the header Host' : headerNameProblem(name),
);

const maxHeaders = 64;

/** JSON in an annotation, a map in a stack file. */
export const headers: OptionForm<Readonly<Record<string, string>>> = {
  words: 'JSON object of texts',
  yaml: 'map',
  read: (value) => {
    let parsed: unknown;
    try {
      parsed = JSON.parse(value);
    } catch {
      parsed = undefined;
    }
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
      return must('be a JSON object such as {"X-Frame-Options": "DENY"}');
    }
    const entries = Object.entries(parsed);
    if (entries.length > maxHeaders) return must(`have at most ${maxHeaders} headers`);
    const names = new Set<string>();
    const found: [string, string][] = [];
    for (const [name, one] of entries) {
      if (typeof one !== 'string') return must(`have texts as values; that of "${shown(name)}" is none`);
      const problem = headerNameProblem(name) ?? headerValueProblem(one);
      if (problem !== undefined) return must(`${problem}; "${shown(name)}" has not`);
      if (names.has(name.toLowerCase())) return must(`have each header once; "${shown(name)}" is there twice`);
      names.add(name.toLowerCase());
      found.push([name, one]);
    }
    return { value: Object.fromEntries(found) };
  },
};

/** Of a URL, absolute, without a query. */
export const urlPath = text('path', (value) => {
  if (value.length > 1_024) return 'have at most 1024 characters';
  if (!/^\/[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*$/.test(value)) return 'be a path such as / or /app, without a query';
  if (/%(?![0-9A-Fa-f]{2})/.test(value)) return 'have two hexadecimal digits after each %';
  return value.split('/').some((part) => part === '..' || part === '.') ? 'have no . or .. in it' : undefined;
});

export const objectName = text('name', (value) =>
  dnsSubdomain(value).length === 0 ? undefined : 'be the name of an object',
);

export const cookieName = text('name', (value) =>
  /^[A-Za-z0-9_-]{1,64}$/.test(value) ? undefined : 'be 1 to 64 letters, digits, - or _',
);

export const realm = text('text', (value) =>
  /^[\x20\x21\x23-\x5b\x5d-\x7e]{1,128}$/.test(value)
    ? undefined
    : 'be 1 to 128 printable ASCII characters without " and \\',
);

const maxPageBytes = 4_096;

export const page = text('HTML', (value) =>
  value !== '' && Buffer.byteLength(value) <= maxPageBytes ? undefined : `be 1 to ${maxPageBytes} bytes of HTML`,
);

function must(rest: string): { readonly problem: string } {
  return { problem: `must ${rest}` };
}

function shown(item: string): string {
  return item.length > 40 ? `${item.slice(0, 40)}…` : item;
}

import type { LabelSelector } from 'kubernetes-types/meta/v1.js';
import { badRequest } from './api-error.ts';
import { ownValue } from './json.ts';
import { labelValue, qualifiedName } from './name-checks.ts';

type LabelSet = Readonly<Record<string, string>> | undefined;

/** One term of a selector; all of them must hold. */
export interface Requirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values: readonly string[];
}

const token = /\s*(==|!=|[=!,()]|[^\s=!,()]+|$)/y;

/**
 * The text form of a label selector: `app=web,tier!=db,zone in (a, b),gpu,!old`. Empty: everything.
 * Throws ApiError 400.
 */
export function parseLabelSelector(text: string): Requirement[] {
  const tokens = tokenize(text);
  const requirements: Requirement[] = [];
  let at = 0;
  const next = () => tokens[at++] ?? '';
  while (at < tokens.length) {
    requirements.push(parseRequirement(text, next, () => tokens[at] ?? ''));
    if (at < tokens.length && next() !== ',') throw unparsable(text, `"," expected before "${tokens[at - 1]}"`);
    if (at === tokens.length && tokens[at - 1] === ',') throw unparsable(text, 'a requirement must follow ","');
  }
  return requirements;
}

function parseRequirement(text: string, next: () => string, peek: () => string): Requirement {
  let key = next();
  if (key === '!') {
    key = next();
    checkKey(text, key);
    return { key, operator: 'DoesNotExist', values: [] };
  }
  checkKey(text, key);
  const operator = peek();
  if (operator === '' || operator === ',') return { key, operator: 'Exists', values: [] };
  next();
  if (operator === '=' || operator === '==' || operator === '!=') {
    const value = peek() === ',' || peek() === '' ? '' : next();
    checkValue(text, value);
    return { key, operator: operator === '!=' ? 'NotIn' : 'In', values: [value] };
  }
  if (operator !== 'in' && operator !== 'notin') {
    throw unparsable(text, `found '${operator}', expected: in, notin, =, ==, !=`);
  }
  return { key, operator: operator === 'in' ? 'In' : 'NotIn', values: parseValues(text, next) };
}

function parseValues(text: string, next: () => string): string[] {
  if (next() !== '(') throw unparsable(text, '"(" expected after in or notin');
  const values: string[] = [];
  for (let word = next(); ; word = next()) {
    if (word === ',' || word === ')') values.push('');
    else {
      checkValue(text, word);
      values.push(word);
      word = next();
    }
    if (word === ')') return values;
    if (word !== ',') throw unparsable(text, '")" expected');
  }
}

function tokenize(text: string): string[] {
  const tokens: string[] = [];
  token.lastIndex = 0;
  for (let match = token.exec(text); match?.[1]; match = token.exec(text)) tokens.push(match[1]);
  return tokens;
}

function checkKey(text: string, key: string): void {
  const [problem] = qualifiedName(key);
  if (problem !== undefined) throw unparsable(text, `key: Invalid value: ${JSON.stringify(key)}: ${problem}`);
}

function checkValue(text: string, value: string): void {
  const [problem] = labelValue(value);
  if (problem !== undefined) throw unparsable(text, `values: Invalid value: ${JSON.stringify(value)}: ${problem}`);
}

function unparsable(text: string, why: string): Error {
  return badRequest(`unable to parse requirement ${JSON.stringify(text)}: ${why}`);
}

/** Whether labels satisfy all requirements. */
export function matchesLabels(requirements: readonly Requirement[], labels: LabelSet): boolean {
  return requirements.every((one) => holds(one, labels));
}

function holds({ key, operator, values }: Requirement, labels: LabelSet): boolean {
  const value = labels && (ownValue(labels, key) as string | undefined);
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}

/** Whether labels satisfy the object form of a selector. An absent selector matches nothing, an empty one everything. */
export function matchesSelector(selector: LabelSelector | undefined, labels: LabelSet): boolean {
  if (selector === undefined) return false;
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    if (!labels || ownValue(labels, key) !== value) return false;
  }
  return matchesLabels(requirementsOf(selector.matchExpressions), labels);
}

function requirementsOf(expressions: LabelSelector['matchExpressions']): Requirement[] {
  return (expressions ?? []).map(({ key, operator, values = [] }) => ({
    key,
    operator: operator as Requirement['operator'],
    values,
  }));
}

export function isEmptySelector(selector: LabelSelector): boolean {
  return Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions?.length ?? 0) === 0;
}

/** The text form of an object selector, as `Scale.status.selector` has it. Absent: ''. */
export function renderLabelSelector(selector: LabelSelector | undefined): string {
  const equal = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const others = requirementsOf(selector?.matchExpressions).map(({ key, operator, values }) => {
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    return `${key} ${operator === 'In' ? 'in' : 'notin'} (${[...values].sort().join(',')})`;
  });
  return [...equal, ...others].sort().join(',');
}

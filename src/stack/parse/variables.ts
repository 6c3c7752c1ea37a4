import { nearest } from '../../lib/nearest.ts';
import type { Lookup } from './interpolate.ts';
import { variableRules } from './keys.ts';
import type { Position } from './problems.ts';
import { describe, type Fields, type Reader } from './reader.ts';
import { type Source, startOfFile } from './source.ts';

const types = ['string', 'integer', 'boolean', 'enum'] as const;
type VariableType = (typeof types)[number];

/** `variables:` of the file: values from `--set`, else the environment, else the default. */
export interface Variables {
  /** Undefined when it is not declared here or has no value. */
  readonly lookup: Lookup;
  readonly names: ReadonlySet<string>;
}

export interface VariablesInput {
  readonly set: Readonly<Record<string, string>>;
  /** The user's environment and `.env`. */
  readonly environment: Lookup;
}

export function readVariables(reader: Reader, source: Source | undefined, input: VariablesInput): Variables {
  const values = new Map<string, string>();
  const names = new Set<string>();
  const declared = source && reader.map(source, '"variables"');
  for (const [name, { at, value }] of declared?.entries ?? []) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      reader.problems.add(at, `"${name}" is no name of a variable`, 'letters, digits and _ only');
    names.add(name);
    const found = readVariable(reader, name, at, value, input);
    if (found !== undefined) values.set(name, found);
  }
  return { names, lookup: (name) => values.get(name) };
}

function readVariable(
  reader: Reader,
  name: string,
  at: Position,
  source: Source,
  input: VariablesInput,
): string | undefined {
  const where = `in variable "${name}"`;
  const isEmpty = source.type === 'scalar' && source.value === null;
  const fields = isEmpty ? undefined : reader.fields(source, `variable "${name}"`, where, variableRules);
  const typeSource = fields?.get('type');
  const type = (typeSource && reader.oneOf(typeSource, `"type" ${where}`, types)) ?? 'string';
  const options = readOptions(reader, fields, type, where);
  const requiredSource = fields?.get('required');
  const isRequired = requiredSource ? reader.boolean(requiredSource, `"required" ${where}`) : true;

  const defaultSource = fields?.get('default');
  const defaultText = defaultSource && reader.text(defaultSource, `"default" ${where}`);
  if (defaultSource && defaultText !== undefined) {
    const why = refusal(type, options, defaultText);
    if (why) reader.problems.add(defaultSource.at, `"default" ${where} ${why}, not ${describe(defaultSource)}`);
  }
  const given = Object.hasOwn(input.set, name) ? input.set[name] : input.environment(name);
  if (given !== undefined) {
    const why = refusal(type, options, given);
    if (why) reader.problems.add(at, `the value given for variable "${name}" ${why}`);
    return given;
  }
  if (defaultText === undefined && isRequired !== false) {
    reader.problems.add(
      at,
      `variable "${name}" has no value`,
      `give --set ${name}=…, put it into .env, or write a default`,
    );
  }
  return defaultText ?? ''; // one that is missing is reported once, not at each use
}

function readOptions(reader: Reader, fields: Fields | undefined, type: VariableType, where: string): string[] {
  const source = fields?.get('options');
  if (source && type !== 'enum') reader.problems.add(source.at, `"options" ${where} belong to type enum`);
  if (!source && type === 'enum' && fields)
    reader.problems.add(fields.at, `"options" ${where} are missing`, 'such as options: [small, large]');
  const items = source ? (reader.list(source, `"options" ${where}`) ?? []) : [];
  return items.map((item) => reader.text(item, `an option ${where}`)).filter((text) => text !== undefined);
}

/** Why the text is no value of the type; undefined when it is one. Does not repeat the text: it may be a secret. */
function refusal(type: VariableType, options: readonly string[], text: string): string | undefined {
  if (type === 'integer' && !/^-?\d{1,15}$/.test(text)) return 'must be an integer';
  if (type === 'boolean' && text !== 'true' && text !== 'false') return 'must be true or false';
  if (type === 'enum' && !options.includes(text)) return `must be one of ${options.join(', ')}`;
  return undefined;
}

/** A `--set` that neither the declarations nor the file's text knows is a slip. */
export function checkSet(
  reader: Reader,
  set: Readonly<Record<string, string>>,
  declared: ReadonlySet<string>,
  used: ReadonlySet<string>,
): void {
  for (const name of Object.keys(set)) {
    if (declared.has(name) || used.has(name)) continue;
    const near = nearest(name, [...declared, ...used]);
    const hint = near === undefined ? 'the file uses no variable of this name' : `did you mean "${near}"?`;
    reader.problems.add(startOfFile, `--set ${name}: there is no such variable`, hint);
  }
}

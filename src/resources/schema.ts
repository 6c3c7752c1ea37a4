/**
 * The language in which kinds of objects are written down. A message is a table of fields; a field has its protobuf
 * number, its type, and everything that decoding, defaults, validation and merging need to know. Tables are compiled
 * once, when they are made; nobody changes them afterwards.
 */

/** `bytes` is base64 text in JSON; `time` is RFC 3339; `any` is checked by nobody (and has no protobuf form). */
export type Scalar =
  | 'string'
  | 'int32'
  | 'int64'
  | 'bool'
  | 'bytes'
  | 'time'
  | 'microTime'
  | 'quantity'
  | 'intOrString'
  | 'fieldsV1'
  | 'any';

export type FieldType = Scalar | Message | ListType | MapType;

export interface ListType {
  readonly form: 'list';
  readonly of: FieldType;
}

/** Keys are strings. */
export interface MapType {
  readonly form: 'map';
  readonly of: FieldType;
}

export interface FieldOptions {
  /** Filled in when the field is absent. Objects and lists are cloned. */
  readonly default?: unknown;
  /** Refused when absent or empty. */
  readonly required?: boolean;
  /** A zero is as good as no value: it cannot be meant. */
  readonly zeroIsAbsent?: boolean;
  /** In protobuf, present with a zero value is not the same as absent (a pointer in Kubernetes' own types). */
  readonly optional?: boolean;
  readonly allowed?: readonly string[];
  readonly min?: number;
  readonly max?: number;
  /** Sentences about what is wrong with the value; empty when it is right. */
  readonly check?: (value: never) => readonly string[];
  /** Values are never repeated in an error message. */
  readonly secret?: boolean;
  /** Strategic merge: items of the list are merged by this key. Without it the list is replaced. */
  readonly mergeKey?: string;
  /**
   * Strategic merge: a list of plain values that are added; a map or item in which `$retainKeys` is meant; an object that
   * is replaced as a whole.
   */
  readonly patchStrategy?: 'merge' | 'retainKeys' | 'merge,retainKeys' | 'replace';
  /** Server-side apply: the keys that identify an item. A list without them belongs to one writer as a whole. */
  readonly mapKeys?: readonly string[];
  /** Server-side apply: `set` for lists of plain values with several writers; `atomic` is the default of lists. */
  readonly listType?: 'set' | 'atomic';
  /** A map or message that belongs to one writer as a whole. */
  readonly isAtomic?: boolean;
  /** Flotilla does not do this: what to do instead. Refused unless the value is empty or one of `harmless`. */
  readonly unsupported?: string;
  /** Accepted and carried for readers, and nothing comes of it: what happens instead. Said in a Warning. */
  readonly ignored?: string;
  /** Values of an unsupported or ignored field that ask for what happens anyway. */
  readonly harmless?: readonly unknown[];
  /** One sentence for `kubectl explain`. */
  readonly description?: string;
}

export interface Field extends FieldOptions {
  readonly name: string;
  /** In protobuf; 0: it has none. */
  readonly number: number;
  readonly type: FieldType;
}

export type FieldSpec = Omit<Field, 'name'>;

/** A JSON object of which nothing is known yet. */
export type JsonObject = { [key: string]: unknown };

export interface MessageOptions {
  /** Messages whose fields stand among this one's in JSON, and in a field of their own in protobuf. */
  readonly inline?: readonly { readonly number: number; readonly message: Message }[];
  /** Defaults that depend on other fields; runs after those of the fields and of what is inside them. */
  readonly defaults?: (object: JsonObject) => void;
  /** What a single field cannot tell; runs after the fields' own checks. */
  readonly validate?: (object: never, path: string, errors: FieldError[]) => void;
  /** Adds sentences about what is understood and works in another way than elsewhere; they stop nothing. */
  readonly warn?: (object: never, path: string, warnings: string[]) => void;
  /** Server-side apply: belongs to one writer as a whole, wherever it stands. */
  readonly isAtomic?: boolean;
  readonly description?: string;
}

export interface Message {
  readonly form: 'message';
  /** Kubernetes' name of the type: it stands in error messages. */
  readonly name: string;
  /** By JSON name, inlined ones included. */
  readonly fields: ReadonlyMap<string, Field>;
  readonly byNumber: ReadonlyMap<number, Field>;
  readonly inlineByNumber: ReadonlyMap<number, Message>;
  readonly options: MessageOptions;
  /** Fields with a default somewhere below. */
  readonly withDefaults: readonly Field[];
  /** Fields with something to validate somewhere below. */
  readonly withChecks: readonly Field[];
  /** Fields with something to warn about somewhere below. */
  readonly withWarnings: readonly Field[];
}

/** Why one field is refused, in the shape of a Status cause. */
export interface FieldError {
  readonly field: string;
  readonly reason:
    | 'FieldValueRequired'
    | 'FieldValueInvalid'
    | 'FieldValueForbidden'
    | 'FieldValueNotSupported'
    | 'FieldValueDuplicate'
    | 'FieldValueNotFound'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany';
  readonly message: string;
}

/** `number` is the field's protobuf number, 0 when it has none (our own kinds travel as JSON only). */
export function field(number: number, type: FieldType, options: FieldOptions = {}): FieldSpec {
  return { number, type, ...options };
}

/** A field that Flotilla knows by name only to refuse it; `reason` says what to do instead. */
export function unsupported(
  number: number,
  reason: string,
  options: FieldOptions & { readonly type?: FieldType } = {},
): FieldSpec {
  const { type = 'any', ...rest } = options;
  return { number, type, unsupported: reason, ...rest };
}

export function listOf(of: FieldType): ListType {
  return { form: 'list', of };
}

export function mapOf(of: FieldType): MapType {
  return { form: 'map', of };
}

export function message(
  name: string,
  fields: Readonly<Record<string, FieldSpec>>,
  options: MessageOptions = {},
): Message {
  const own = Object.entries(fields).map(([fieldName, spec]): Field => ({ ...spec, name: fieldName }));
  const all = [...own, ...(options.inline ?? []).flatMap((inlined) => [...inlined.message.fields.values()])];
  const numbered = own.filter((one) => one.number > 0);
  if (new Set(numbered.map((one) => one.number)).size < numbered.length) {
    throw new Error(`message ${name}: two fields have the same number`);
  }
  return {
    form: 'message',
    name,
    fields: new Map(all.map((one) => [one.name, one])),
    byNumber: new Map(numbered.map((one) => [one.number, one])),
    inlineByNumber: new Map((options.inline ?? []).map((inlined) => [inlined.number, inlined.message])),
    options,
    withDefaults: all.filter((one) => one.default !== undefined || typeHasDefaults(one.type)),
    withChecks: all.filter(hasChecks),
    withWarnings: all.filter(hasWarnings),
  };
}

/** The message inside a type: itself, or that of a list's or map's items. */
export function messageIn(type: FieldType): Message | undefined {
  if (typeof type === 'string') return undefined;
  return type.form === 'message' ? type : messageIn(type.of);
}

export function messageHasDefaults(one: Message): boolean {
  return one.withDefaults.length > 0 || one.options.defaults !== undefined || inlineHas(one, messageHasDefaults);
}

function typeHasDefaults(type: FieldType): boolean {
  const inner = messageIn(type);
  return inner !== undefined && messageHasDefaults(inner);
}

export function messageHasChecks(one: Message): boolean {
  return one.withChecks.length > 0 || one.options.validate !== undefined || inlineHas(one, messageHasChecks);
}

function hasChecks(one: Field): boolean {
  if (one.required || one.allowed || one.check || one.unsupported !== undefined) return true;
  if (one.min !== undefined || one.max !== undefined) return true;
  const inner = messageIn(one.type);
  return inner !== undefined && messageHasChecks(inner);
}

export function messageHasWarnings(one: Message): boolean {
  return one.withWarnings.length > 0 || one.options.warn !== undefined;
}

function hasWarnings(one: Field): boolean {
  if (one.ignored !== undefined) return true;
  const inner = messageIn(one.type);
  return inner !== undefined && messageHasWarnings(inner);
}

function inlineHas(one: Message, test: (inner: Message) => boolean): boolean {
  return (one.options.inline ?? []).some((inlined) => test(inlined.message));
}

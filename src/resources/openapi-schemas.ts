import { describeField, describeMessage } from './descriptions/descriptions.ts';
import type { Kind } from './kind.ts';
import type { Field, FieldType, JsonObject, Message, Scalar } from './schema.ts';

const scalarSchemas: Readonly<Record<Scalar, JsonObject>> = {
  string: { type: 'string' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  bool: { type: 'boolean' },
  bytes: { type: 'string', format: 'byte' },
  time: { type: 'string', format: 'date-time' },
  microTime: { type: 'string', format: 'date-time' },
  quantity: { type: 'string' },
  intOrString: { type: 'string', format: 'int-or-string' },
  fieldsV1: { type: 'object' },
  any: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
};

/** `components.schemas`: every message of these kinds by name. Fields that are refused are left out. */
export function schemasOf(kinds: readonly Kind[]): JsonObject {
  const schemas: JsonObject = {};
  for (const kind of kinds) {
    const prefix = kind.group === 'flotilla.dev' ? 'dev.flotilla' : `io.k8s.api.${kind.group.split('.')[0] || 'core'}`;
    const schema = addMessage(schemas, `${prefix}.${kind.version}`, kind.message);
    schema.properties = { ...typeProperties, ...(schema.properties as JsonObject) };
    schema['x-kubernetes-group-version-kind'] = [{ group: kind.group, version: kind.version, kind: kind.kind }];
  }
  return schemas;
}

const typeProperties: JsonObject = {
  apiVersion: { type: 'string', description: 'Group and version of this kind.' },
  kind: { type: 'string', description: 'The name of this kind.' },
};

function addMessage(schemas: JsonObject, prefix: string, message: Message): JsonObject {
  const schema: JsonObject = { type: 'object', description: describeMessage(message) };
  schemas[nameOf(prefix, message)] = schema;
  const served = [...message.fields.values()].filter(isServed);
  schema.properties = Object.fromEntries(
    served.map((one) => [one.name, { description: describeField(message, one), ...fieldSchema(schemas, prefix, one) }]),
  );
  const required = served.filter((one) => one.required).map((one) => one.name);
  if (required.length > 0) schema.required = required;
  if (message.options.isAtomic) schema['x-kubernetes-map-type'] = 'atomic';
  return schema;
}

/** A field that is there by default is shown, even where nothing else can be asked for. */
export function isServed(one: Field): boolean {
  return one.unsupported === undefined || one.default !== undefined;
}

function fieldSchema(schemas: JsonObject, prefix: string, one: Field): JsonObject {
  const inner = typeSchema(schemas, prefix, one.type);
  return {
    // Beside a $ref nothing else counts, so that it stands in a list of its own.
    ...('$ref' in inner ? { allOf: [inner] } : inner),
    ...enumOf(one),
    ...mergeFacts(one),
    ...(one.default === undefined ? {} : { default: one.default }),
    ...(one.min === undefined ? {} : { minimum: one.min }),
    ...(one.max === undefined ? {} : { maximum: one.max }),
  };
}

function enumOf({ allowed, unsupported, harmless }: Field): JsonObject {
  const words = allowed ?? (unsupported === undefined ? undefined : harmless?.filter((one) => typeof one === 'string'));
  return words === undefined || words.length === 0 ? {} : { enum: words };
}

function mergeFacts({ mergeKey, patchStrategy, mapKeys, listType, isAtomic, type }: Field): JsonObject {
  const strategy = patchStrategy ?? (mergeKey === undefined ? undefined : 'merge');
  const isList = typeof type !== 'string' && type.form === 'list';
  const isMap = typeof type !== 'string' && type.form === 'map';
  const list = mapKeys ? 'map' : (listType ?? (isList && mergeKey === undefined ? 'atomic' : undefined));
  return {
    ...(mergeKey === undefined ? {} : { 'x-kubernetes-patch-merge-key': mergeKey }),
    ...(strategy === undefined ? {} : { 'x-kubernetes-patch-strategy': strategy }),
    ...(mapKeys ? { 'x-kubernetes-list-map-keys': mapKeys } : {}),
    ...(list === undefined ? {} : { 'x-kubernetes-list-type': list }),
    ...(isMap && isAtomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
  };
}

function typeSchema(schemas: JsonObject, prefix: string, type: FieldType): JsonObject {
  if (typeof type === 'string') return scalarSchemas[type];
  if (type.form === 'list') return { type: 'array', items: typeSchema(schemas, prefix, type.of) };
  if (type.form === 'map') return { type: 'object', additionalProperties: typeSchema(schemas, prefix, type.of) };
  const name = nameOf(prefix, type);
  if (!Object.hasOwn(schemas, name)) addMessage(schemas, prefix, type);
  return { $ref: `#/components/schemas/${name}` };
}

/** What all groups share. */
const metaMessages = new Set([
  'ObjectMeta',
  'OwnerReference',
  'ManagedFieldsEntry',
  'LabelSelector',
  'LabelSelectorRequirement',
  'Condition',
]);

function nameOf(prefix: string, message: Message): string {
  return metaMessages.has(message.name)
    ? `io.k8s.apimachinery.pkg.apis.meta.v1.${message.name}`
    : `${prefix}.${message.name}`;
}

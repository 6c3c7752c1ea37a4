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
  any: { type: 'object' },
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
  const schema: JsonObject = { type: 'object', description: message.options.description ?? '' };
  schemas[nameOf(prefix, message)] = schema;
  const served = [...message.fields.values()].filter((one) => one.unsupported === undefined);
  schema.properties = Object.fromEntries(served.map((one) => [one.name, fieldSchema(schemas, prefix, one)]));
  const required = served.filter((one) => one.required).map((one) => one.name);
  if (required.length > 0) schema.required = required;
  return schema;
}

function fieldSchema(schemas: JsonObject, prefix: string, one: Field): JsonObject {
  const { description = '', mergeKey, mapKeys, allowed } = one;
  const inner = typeSchema(schemas, prefix, one.type);
  return {
    description,
    // Beside a $ref nothing else counts, so that it stands in a list of its own.
    ...('$ref' in inner ? { allOf: [inner] } : inner),
    ...(allowed ? { enum: allowed } : {}),
    ...(mergeKey === undefined
      ? {}
      : { 'x-kubernetes-patch-merge-key': mergeKey, 'x-kubernetes-patch-strategy': 'merge' }),
    ...(mapKeys ? { 'x-kubernetes-list-map-keys': mapKeys, 'x-kubernetes-list-type': 'map' } : {}),
    ...(one.default === undefined ? {} : { default: one.default }),
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

function nameOf(prefix: string, message: Message): string {
  return message.name === 'ObjectMeta'
    ? 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'
    : `${prefix}.${message.name}`;
}

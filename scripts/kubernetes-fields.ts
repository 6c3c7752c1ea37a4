// Makes test/data/kubernetes-fields.json, against which tests hold our tables: of each served kind of Kubernetes' own, the
// fields with their types, merge keys and list types, out of its official OpenAPI 2 document.
//   node scripts/kubernetes-fields.ts path/to/swagger.json
import { readFileSync, writeFileSync } from 'node:fs';
import { allKinds } from '../src/resources/kinds.ts';

interface Property {
  readonly type?: string;
  readonly format?: string;
  readonly $ref?: string;
  readonly items?: Property;
  readonly additionalProperties?: Property;
  readonly 'x-kubernetes-patch-merge-key'?: string;
  readonly 'x-kubernetes-patch-strategy'?: string;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-map-type'?: string;
}

interface Definition {
  readonly properties?: Readonly<Record<string, Property>>;
  readonly required?: readonly string[];
  readonly 'x-kubernetes-group-version-kind'?: readonly { group: string; version: string; kind: string }[];
}

const prefix = '#/definitions/';
/** Written as a word, not as a message. */
const words = new Set(['Time', 'MicroTime', 'Quantity', 'IntOrString', 'FieldsV1', 'RawExtension']);

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: node scripts/kubernetes-fields.ts path/to/swagger.json');
const { definitions } = JSON.parse(readFileSync(path, 'utf8')) as { definitions: Record<string, Definition> };

const fullNames = new Map<string, string>();
const result: Record<string, Record<string, object>> = {};
const waiting = ['ObjectMeta', 'DeleteOptions'].map((name) => `io.k8s.apimachinery.pkg.apis.meta.v1.${name}`);
for (const kind of allKinds.filter(({ group }) => group !== 'flotilla.dev')) {
  const name = Object.keys(definitions).find((one) =>
    definitions[one]?.['x-kubernetes-group-version-kind']?.some(
      (type) => type.group === kind.group && type.version === kind.version && type.kind === kind.kind,
    ),
  );
  if (name === undefined) throw new Error(`the document has no ${kind.kind} of ${kind.group}/${kind.version}`);
  waiting.push(name);
}
for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) add(name);
const sorted = Object.fromEntries(Object.entries(result).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync('test/data/kubernetes-fields.json', `${JSON.stringify(sorted, null, 1)}\n`);
console.log(`${Object.keys(sorted).length} definitions`);

function add(name: string): void {
  const short = shortOf(name);
  const known = fullNames.get(short);
  if (known !== undefined && known !== name) throw new Error(`${short} is both ${known} and ${name}`);
  if (known !== undefined || words.has(short)) return;
  fullNames.set(short, name);
  const { properties = {}, required = [] } = definitions[name] ?? {};
  result[short] = Object.fromEntries(
    Object.entries(properties).map(([key, one]) => [key, digest(one, required.includes(key))]),
  );
}

function digest(one: Property, isRequired: boolean): object {
  const mergeKey = one['x-kubernetes-patch-merge-key'];
  const patchStrategy = one['x-kubernetes-patch-strategy'];
  const mapKeys = one['x-kubernetes-list-map-keys'];
  const listType = one['x-kubernetes-list-type'];
  return {
    type: typeOf(one),
    ...(isRequired ? { required: true } : {}),
    ...(mergeKey === undefined ? {} : { mergeKey }),
    ...(patchStrategy === undefined ? {} : { patchStrategy }),
    ...(mapKeys === undefined ? {} : { mapKeys }),
    ...(listType === undefined ? {} : { listType }),
  };
}

function typeOf(one: Property): string {
  if (one.$ref !== undefined) {
    waiting.push(one.$ref.slice(prefix.length));
    return shortOf(one.$ref);
  }
  if (one.type === 'array') return `[]${typeOf(one.items ?? {})}`;
  if (one.additionalProperties) return `map ${typeOf(one.additionalProperties)}`;
  return [one.type ?? 'any', one.format].filter((part) => part !== undefined).join(' ');
}

function shortOf(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

import { describeField, describeMessage } from '../src/resources/descriptions/descriptions.ts';
import { apiVersionOf, type Kind } from '../src/resources/kind.ts';
import { allKinds } from '../src/resources/kinds.ts';
import type { Field, FieldType, Message } from '../src/resources/schema.ts';
import { messageIn } from '../src/resources/schema.ts';
import { reviews } from '../src/server/kube/route.ts';

const head = `# What of Kubernetes' API is served

Made by \`node scripts/api-support.ts\` from the tables of kinds in \`src/resources\`; the same tables decode, default, validate
and merge objects and answer \`kubectl explain\`. Strict about all others: a field that is not here is refused as unknown (or
warned about, or dropped, as \`fieldValidation\` asks). Four things can become of a field of Kubernetes' own kinds:

- **accepted**: it does what it does in Kubernetes;
- **accepted, not done**: it is kept for readers, and a warning says what happens instead;
- **accepted as**: only with the values that ask for what happens anyway;
- **refused**: with 422 and what to do instead.

Every kind is read as JSON or YAML; Kubernetes' own kinds are read as protobuf and take strategic merge patches, too. Answers
are JSON, Tables or PartialObjectMetadata. All kinds take merge patches, JSON patches and server-side apply.
`;

/** The whole page. */
export function renderApiSupport(): string {
  const parts = [
    head,
    '## Kinds',
    kindTable(),
    '## Answered, never stored',
    reviewTable(),
    '## Fields',
    'Fields of `status` are written by Flotilla and are not listed; `kubectl explain` has them.',
    ...sections(),
  ];
  return `${parts.map((part) => part.trim()).join('\n\n')}\n`;
}

function kindTable(): string {
  const rows = allKinds.map((kind) => [
    kind.kind,
    code(apiVersionOf(kind)),
    [kind.plural, ...kind.shortNames].map(code).join(', '),
    kind.namespaced ? 'yes' : 'no',
    verbsOf(kind),
    kind.subresources.map(({ name, verbs }) => `${code(name)} (${verbs.join(', ')})`).join(', '),
  ]);
  return table(['kind', 'version', 'names', 'in namespaces', 'verbs', 'subresources'], rows);
}

const allVerbs = 'create, delete, deletecollection, get, list, patch, update, watch';

function verbsOf(kind: Kind): string {
  const verbs = kind.verbs.join(', ');
  return verbs === allVerbs ? 'all' : verbs;
}

function reviewTable(): string {
  const rows = reviews.map(({ group, version, kind, plural }) => [kind, code(`${group}/${version}`), code(plural)]);
  return table(['kind', 'version', 'name'], rows);
}

/** One for each message, in the order in which they are met. */
function sections(): string[] {
  const seen = new Map<string, string>();
  const kindNames = new Set(allKinds.map((kind) => kind.kind));
  const visit = (message: Message, title: string): void => {
    if (seen.has(title)) return;
    const fields = [...message.fields.values()].filter(({ name }) => name !== 'status');
    seen.set(title, section(message, title, fields));
    for (const one of fields) {
      const inner = messageIn(one.type);
      if (inner && one.unsupported === undefined)
        visit(inner, kindNames.has(inner.name) ? `${title}.${one.name}` : inner.name);
    }
  };
  for (const kind of allKinds) visit(kind.message, kind.kind);
  return [...seen.values()];
}

function section(message: Message, title: string, fields: readonly Field[]): string {
  const refused = fields.filter(isRefused);
  const rows = fields
    .filter((one) => !isRefused(one))
    .map((one) => [code(one.name), typeText(one.type), [describeField(message, one), ...notes(one)].join(' ').trim()]);
  const rest = refused.map((one) => `- ${code(one.name)}: ${one.unsupported}`);
  return [
    `### ${title}`,
    describeMessage(message),
    ...(rows.length > 0 ? [table(['field', 'type', 'meaning'], rows)] : []),
    ...(rest.length > 0 ? [`Refused:\n\n${rest.join('\n')}`] : []),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function isRefused(one: Field): boolean {
  return one.unsupported !== undefined && harmlessOf(one).length === 0;
}

function harmlessOf(one: Field): readonly unknown[] {
  return one.harmless ?? [];
}

function notes(one: Field): string[] {
  return [
    ...(one.required ? ['Required.'] : []),
    ...(one.default === undefined ? [] : [`Default ${code(JSON.stringify(one.default))}.`]),
    ...(one.allowed ? [`One of ${one.allowed.map((value) => code(value || '""')).join(', ')}.`] : []),
    ...(one.ignored === undefined ? [] : [`**Accepted, not done**: ${one.ignored}.`]),
    ...(one.unsupported === undefined
      ? []
      : [
          `**Accepted as** ${harmlessOf(one)
            .map((value) => code(JSON.stringify(value)))
            .join(', ')}; else: ${one.unsupported}.`,
        ]),
  ];
}

function typeText(type: FieldType): string {
  if (typeof type === 'string') return type;
  if (type.form === 'message') return type.name;
  return type.form === 'list' ? `list of ${typeText(type.of)}` : `map of ${typeText(type.of)}`;
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n');
}

function code(text: string): string {
  return `\`${text}\``;
}

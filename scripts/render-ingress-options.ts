import { type IngressOption, ingressOptions, optionPrefix } from '../src/resources/ingress-options.ts';

const head = `# Options of the way in

Made by \`node scripts/ingress-options.ts\` from the table in \`src/resources/ingress-options.ts\`, which also checks them. The same options say how hosts of a stack's service are let in, as keys of an
entry of \`ingress\`, and how an Ingress object is, as annotations \`${optionPrefix}<option>\`. What is unknown, cannot be read, or contradicts something else is refused, with the nearest
right name. Values are one line; lists are separated by commas in annotations and may be YAML lists in a stack file; headers are a JSON object there and a map here.

Durations are \`500ms\`, \`5s\`, \`1m30s\`, \`2h\`, \`180d\`; sizes \`512k\`, \`10m\`, \`1g\`, in powers of 1,024.
`;

/** The whole page. */
export function renderIngressOptions(): string {
  const rows = (Object.values(ingressOptions) as readonly IngressOption<unknown>[]).map(
    ({ name, form, description, example }) => {
      const key = { tls: 'tls', 'tcp-port': 'listen' }[name] ?? name.replaceAll('-', '_');
      return `| \`${name}\` | \`${key}\` | ${form.words} | ${description} | \`${example}\` |`;
    },
  );
  return `${head}\n| annotation | key in a stack file | value | what it does | example |\n|---|---|---|---|---|\n${rows.join('\n')}\n`;
}

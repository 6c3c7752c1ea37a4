import { anyHost } from '../../resources/ingress-facts.ts';
import { optionConflicts } from '../../resources/ingress-option-conflicts.ts';
import {
  type IngressOption,
  ingressOptions,
  type OptionKey,
  readIngressOption,
  readOptionTexts,
} from '../../resources/ingress-options.ts';
import { hostProblems, pathProblems } from '../../resources/ingress-validation.ts';
import { dnsSubdomain } from '../../resources/name-checks.ts';
import type { StackIngress, StackService } from '../../resources/stack-types.ts';
import type { Position } from './problems.ts';
import type { Fields, KeyRules, Reader } from './reader.ts';
import type { Source } from './source.ts';

const options = Object.entries(ingressOptions) as [OptionKey, IngressOption<unknown>][];
/** As the file writes them. */
const keyOf = (option: OptionKey) => ingressOptions[option].name.replaceAll('-', '_');
/** Those that have a key of another form. */
const ownKeys: readonly OptionKey[] = ['tls', 'tcpPort'];
const plainOptions = options.filter(([key]) => !ownKeys.includes(key));

export const ingressRules: KeyRules = {
  host: 'read',
  port: 'read',
  path: 'read',
  path_type: 'read',
  tls: 'read',
  listen: 'read',
  automatic: 'read',
  tcp_port: { refuse: 'write listen' },
  ...Object.fromEntries(plainOptions.map(([key]) => [keyOf(key), 'read'])),
};

export const tlsRules: KeyRules = { secret: 'read' };

type Read = Pick<StackService, 'ingress' | 'automaticName'>;

/** `ingress: false`, one entry, or a list of them. `hasHttpPort`: entries may leave their port out. */
export function readIngress(reader: Reader, source: Source, where: string, hasHttpPort: boolean): Read {
  if (source.type === 'scalar') {
    const isWanted = reader.boolean(source, `"ingress" ${where}`);
    return isWanted === false ? { automaticName: false } : {};
  }
  const items = source.type === 'list' ? source.items : [source];
  const entries: StackIngress[] = [];
  const seen = new Set<string>();
  let automaticName = true;
  for (const item of items) {
    const fields = reader.fields(item, `an entry of "ingress" ${where}`, `in "ingress" ${where}`, ingressRules);
    if (!fields) continue;
    const automatic = fields.get('automatic');
    if (automatic && reader.boolean(automatic, `"automatic" in "ingress" ${where}`) === false) automaticName = false;
    const entry = readEntry(reader, fields, where);
    const key = keyOfPlace(entry);
    if (seen.has(key)) reader.problems.add(fields.at, `${key} is twice in "ingress" ${where}`);
    seen.add(key);
    if (entry.port === undefined && !hasHttpPort) {
      const hint = 'name the port of the container: port: 8080';
      reader.problems.add(fields.at, `an entry of "ingress" ${where} has no "port", and no HTTP port is exposed`, hint);
    }
    entries.push(entry);
  }
  return { ...(entries.length > 0 ? { ingress: entries } : {}), ...(automaticName ? {} : { automaticName }) };
}

/** As a message says it. */
function placeOf({ host, path = '/', pathType }: StackIngress): string {
  if (host === undefined) return `path ${path} of the automatic name`;
  const exact = pathType === 'Exact' ? 'exact path' : 'path';
  return `${host === anyHost ? 'any host' : `host ${host}`}, ${exact} ${path}`;
}

/** Of all services of the file: one host and path, or one port, leads to one of them. */
export function checkIngress(
  reader: Reader,
  services: Readonly<Record<string, StackService>>,
  at: (service: string) => Position,
): void {
  const known = new Map<string, string>();
  for (const [name, { ingress = [] }] of Object.entries(services)) {
    for (const entry of ingress) {
      if (entry.host === undefined && entry.listen === undefined) continue;
      const place = keyOfPlace(entry);
      const first = known.get(place);
      if (first !== undefined && first !== name) {
        reader.problems.add(at(name), `${place} of "ingress" leads to service "${first}" and to service "${name}"`);
      }
      known.set(place, first ?? name);
    }
  }
}

function keyOfPlace(entry: StackIngress): string {
  return entry.listen === undefined ? placeOf(entry) : `port ${entry.listen}`;
}

function readEntry(reader: Reader, fields: Fields, where: string): StackIngress {
  const on = <T>(key: string, read: (source: Source, what: string) => T): T | undefined => {
    const source = fields.get(key);
    return source && read(source, `"${key}" in "ingress" ${where}`);
  };
  const port = (key: string) => on(key, (source, what) => reader.integer(source, what, { min: 1, max: 65_535 }));
  const host = on('host', (source, what) => readHost(reader, source, what));
  const path = on('path', (source, what) => reader.string(source, what));
  const type = on('path_type', (source, what) => reader.oneOf(source, what, ['exact', 'prefix', 'Exact', 'Prefix']));
  const pathType = type === undefined ? undefined : type.toLowerCase() === 'exact' ? 'Exact' : 'Prefix';
  if (path !== undefined) {
    const [problem] = pathProblems(path, pathType ?? 'Prefix');
    if (problem !== undefined) reader.problems.add(fields.keyAt('path'), `"path" in "ingress" ${where} ${problem}`);
  }
  const listen = port('listen');
  const target = port('port') ?? listen;
  const texts = readOptions(reader, fields, where);
  const entry: StackIngress = {
    ...(host === undefined ? {} : { host }),
    ...(target === undefined ? {} : { port: target }),
    ...(path === undefined ? {} : { path }),
    ...(pathType === undefined ? {} : { pathType }),
    ...on('tls', (source, what) => readTls(reader, source, what)),
    ...(listen === undefined ? {} : { listen }),
    ...(Object.keys(texts).length > 0 ? { options: texts } : {}),
  };
  checkTogether(reader, fields, entry, where);
  return entry;
}

function readHost(reader: Reader, source: Source, what: string): string | undefined {
  const host = reader.string(source, what);
  if (host === undefined || host === anyHost) return host;
  const [problem] = hostProblems(host);
  if (problem === undefined) return host;
  const isCapital = hostProblems(host.toLowerCase()).length === 0;
  const hint = isCapital
    ? `write it in small letters: ${host.toLowerCase()}`
    : 'such as shop.example.org or *.example.org';
  return reader.problems.add(source.at, `${what} must be a host name`, hint);
}

function readTls(reader: Reader, source: Source, what: string): Pick<StackIngress, 'tls' | 'tlsSecret'> {
  if (source.type !== 'map') {
    const tls = reader.oneOf(source, what, ['acme', 'internal', 'none']);
    return tls === undefined ? {} : { tls };
  }
  const fields = reader.fields(source, what, `in ${what}`, tlsRules);
  const named = fields?.get('secret');
  const tlsSecret = named && reader.string(named, `"secret" of ${what}`);
  if (fields && !named) reader.problems.add(fields.at, `${what} has no "secret"`, 'write tls: {secret: NAME}');
  if (tlsSecret === undefined || !named) return {};
  if (dnsSubdomain(tlsSecret).length === 0) return { tlsSecret };
  return reader.problems.add(named.at, `"secret" of ${what} is no name of an object`) ?? {};
}

/** By their names in annotations, as they stand there. */
function readOptions(reader: Reader, fields: Fields, where: string): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [key, { name, form }] of plainOptions) {
    const source = fields.get(keyOf(key));
    if (!source) continue;
    const what = `"${keyOf(key)}" in "ingress" ${where}`;
    const text = textOf(reader, source, what, form.yaml);
    if (text === undefined) continue;
    const reading = readIngressOption(form, text);
    if (!('problem' in reading)) {
      texts[name] = text;
      continue;
    }
    // What comes from a variable is perhaps a secret.
    const shown = usesVariable(source) ? reading.problem.replace(/; ".*$/, '') : reading.problem;
    const hint = text.includes('\n') ? 'YAML folds lines into one with ">-"' : undefined;
    reader.problems.add(source.at, `${what} ${shown}`, hint);
  }
  return texts;
}

function textOf(reader: Reader, source: Source, what: string, form: 'text' | 'list' | 'map'): string | undefined {
  if (form === 'list' && source.type === 'list') return reader.strings(source, what)?.join(',');
  if (form !== 'map') return reader.text(source, what);
  const map = reader.map(source, what);
  if (!map) return undefined;
  const entries = [...map.entries].map(([name, { value }]) => [name, reader.text(value, `"${name}" of ${what}`)]);
  return entries.some(([, text]) => text === undefined) ? undefined : JSON.stringify(Object.fromEntries(entries));
}

function usesVariable(source: Source): boolean {
  if (source.type === 'list') return source.items.some(usesVariable);
  if (source.type === 'map') return [...source.entries.values()].some(({ value }) => usesVariable(value));
  return source.usesVariable;
}

function checkTogether(reader: Reader, fields: Fields, entry: StackIngress, where: string): void {
  const { host, path, listen, tls, tlsSecret } = entry;
  const within = `in "ingress" ${where}`;
  if (listen !== undefined) {
    for (const key of ['host', 'path', 'path_type', 'tls']) {
      if (fields.get(key)) {
        reader.problems.add(
          fields.keyAt(key),
          `"${key}" ${within} contradicts "listen", which passes on all that comes`,
        );
      }
    }
  }
  const texts = { ...entry.options, ...(tls === undefined ? {} : { tls }) };
  const asked = { ...texts, ...(listen === undefined ? {} : { 'tcp-port': String(listen) }) };
  const backend = { service: { name: 'x', port: { number: 80 } } };
  const isTcp = listen !== undefined;
  const rule = {
    ...(host === undefined || host === anyHost ? {} : { host }),
    http: { paths: [{ path: path ?? '/', pathType: entry.pathType ?? 'Prefix', backend }] },
  };
  const spec = {
    ...(isTcp ? { defaultBackend: backend } : { rules: [rule] }),
    ...(tlsSecret === undefined ? {} : { tls: [{ secretName: tlsSecret }] }),
  };
  for (const { option, problem } of optionConflicts(readOptionTexts(asked).options, spec, nameOf)) {
    if (isTcp && option === 'tls') continue; // said above
    reader.problems.add(
      fields.keyAt(nameOf(option)),
      `"${nameOf(option)}" ${within} ${problem.replaceAll('spec.', '')}`,
    );
  }
}

function nameOf(option: OptionKey): string {
  return option === 'tcpPort' ? 'listen' : keyOf(option);
}

import { stringify } from 'yaml';
import type { Kind } from '../../src/resources/kind.ts';
import { allKinds } from '../../src/resources/kinds.ts';
import type { JsonObject } from '../../src/resources/schema.ts';
import { mutateBytes, mutateValue, nested } from './mutate.ts';
import { names, plausibleObject, prefixes, randomObject } from './objects.ts';
import { encodeProtobuf } from './protobuf.ts';
import type { Random } from './random.ts';

export interface FuzzRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

/** Tokens, and what lets the one who asks do so, are left alone: without them nothing would be tried any more. */
const spared = ['tokens', 'grids'];
const kinds = allKinds.filter((kind) => !spared.includes(kind.plural));

const methods = ['GET', 'GET', 'POST', 'POST', 'POST', 'PUT', 'PATCH', 'PATCH', 'PATCH', 'DELETE', 'HEAD', 'BREW'];

/** One request, always the same for the same state of `random`. */
export function randomRequest(random: Random): FuzzRequest {
  const kind = random.pick(kinds);
  const method = random.pick(methods);
  const isObject = random.chance({ POST: 0.15, GET: 0.5, HEAD: 0.5 }[method] ?? 0.95);
  const where = pathOf(random, kind, isObject);
  const query = queryOf(random);
  const path = where + (where.includes('?') ? query.replace('?', '&') : query);
  const headers = headersOf(random);
  if (method === 'GET' || method === 'HEAD') return { method, path, headers };
  const { body, contentType } = bodyOf(random, kind, method);
  return { method, path, headers: { ...headers, 'content-type': contentType }, body };
}

const subresources = [
  'status',
  'scale',
  'log',
  'exec',
  'binding',
  'eviction',
  'finalize',
  'attach',
  'portforward',
  'nope',
];
const systemPaths = [
  '/',
  '/api',
  '/apis',
  '/api/v1',
  '/apis/apps/v1',
  '/openapi/v2',
  '/openapi/v3',
  '/version',
  '/metrics',
  '/readyz',
];

function pathOf(random: Random, kind: Kind, isObject: boolean): string {
  if (random.chance(0.04)) return odd(random, random.pick(systemPaths));
  const base = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const namespace =
    kind.namespaced && random.chance(0.9)
      ? `/namespaces/${random.pick(['default', 'fuzz', 'fuzz', 'fuzz', 'nope'])}`
      : '';
  const name = isObject
    ? `/${random.chance(0.8) ? `${random.pick(prefixes)}-${random.below(10)}` : random.pick(names)}`
    : '';
  const subresource = isObject && random.chance(0.25) ? `/${random.pick(subresources)}` : '';
  return odd(random, `${base}${namespace}/${kind.plural}${name}${subresource}`);
}

const oddParts = [
  '%00',
  '%2f',
  '%',
  '%zz',
  '..',
  '//',
  'é',
  '%F0%9F%98%80',
  '?',
  '#',
  '\\',
  '{}',
  'a'.repeat(3_000),
  '/grids/main',
];

function odd(random: Random, text: string): string {
  if (!random.chance(0.08)) return text;
  const at = random.below(text.length + 1);
  return encodeUnsafe(`${text.slice(0, at)}${random.pick(oddParts)}${text.slice(at)}`);
}

/** Node refuses to send what is no Latin-1; everything else goes out as it is. */
function encodeUnsafe(text: string): string {
  return text.replace(/[^\x21-\x7e]/gu, (one) => encodeURIComponent(one));
}

const selectors = [
  'app=web',
  'app in (a,b)',
  '!app',
  'app!=web',
  'a=b,',
  'in',
  '(',
  'app in ()',
  'x/y=z',
  '=,=',
  'a'.repeat(2_000),
  'spec.nodeName=n0',
  'metadata.name=web',
  'status.phase!=Running',
  'é=ü',
];
const parameters: Readonly<Record<string, readonly string[]>> = {
  labelSelector: selectors,
  fieldSelector: selectors,
  limit: ['1', '0', '-1', '999999999999', 'x', ''],
  continue: [
    '',
    'x',
    'eyJ2IjoxLCJyZXZpc2lvbiI6MSwiYWZ0ZXIiOiIvIn0',
    'eyJ2IjoxLCJyZXZpc2lvbiI6LTEsImFmdGVyIjoiIn0',
    '%FF',
  ],
  resourceVersion: ['0', '1', '99999999999', '-1', 'x', ''],
  resourceVersionMatch: ['Exact', 'NotOlderThan', 'x'],
  watch: ['true', '1', 'false', 'x'],
  timeoutSeconds: ['1', '0', '-1', 'x', '99999999999999'],
  allowWatchBookmarks: ['true', 'x'],
  sendInitialEvents: ['true', 'false', 'x'],
  dryRun: ['All', '', 'x'],
  fieldManager: ['me', '', 'a'.repeat(200), '\u0000'],
  fieldValidation: ['Strict', 'Warn', 'Ignore', 'x'],
  force: ['true', 'false', 'x'],
  pretty: ['true'],
  gracePeriodSeconds: ['0', '5', '-1', 'x'],
  propagationPolicy: ['Foreground', 'Background', 'Orphan', 'x'],
  orphanDependents: ['true', 'x'],
  includeObject: ['None', 'Metadata', 'Object', 'x'],
  tailLines: ['1', '-1', 'x'],
  container: ['main', 'é'],
  command: ['sh'],
};

function queryOf(random: Random): string {
  const chosen = Array.from({ length: Math.max(0, random.below(6) - 2) }, () => random.pick(Object.keys(parameters)));
  const pairs = chosen.map((name) => {
    const value = random.pick(parameters[name] ?? ['']);
    return random.chance(0.1) ? `${name}=${encodeUnsafe(value)}` : `${name}=${encodeURIComponent(value)}`;
  });
  // A watch without an end would only be waited for; the first of two counts.
  if (chosen.includes('watch')) pairs.unshift('timeoutSeconds=1');
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

const accepts = [
  'application/json',
  '*/*',
  '',
  'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
  'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
  'application/vnd.kubernetes.protobuf',
  'application/yaml',
  'text/html;q=0.9',
  ';;;===',
  'application/json;as=Table;v=v9;g=x',
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
];

function headersOf(random: Random): Record<string, string> {
  const headers: Record<string, string> = { accept: random.chance(0.6) ? 'application/json' : random.pick(accepts) };
  if (random.chance(0.1)) headers['accept-encoding'] = random.pick(['gzip', 'identity;q=0', '*', 'br']);
  if (random.chance(0.05)) headers['x-request-id'] = random.pick(['x', 'a'.repeat(500), '{}', '../']);
  if (random.chance(0.05)) headers['content-encoding'] = random.pick(['gzip', 'deflate']);
  if (random.chance(0.03)) headers['impersonate-user'] = random.pick(['ann', '', 'system:node:n0']);
  if (random.chance(0.03)) headers['impersonate-group'] = 'x';
  if (random.chance(0.05)) headers['user-agent'] = random.pick(['', 'x'.repeat(5_000), 'kubectl/v1.35']);
  if (random.chance(0.02)) headers.authorization = random.pick(['Bearer x', 'Basic eDp5', '', 'Bearer fl1.a.b']);
  return headers;
}

const contentTypes = {
  json: 'application/json',
  yaml: 'application/yaml',
  protobuf: 'application/vnd.kubernetes.protobuf',
} as const;
const patchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];

function bodyOf(random: Random, kind: Kind, method: string): { body: Buffer; contentType: string } {
  if (random.chance(0.02)) return { body: Buffer.from(nested(random)), contentType: contentTypes.json };
  if (random.chance(0.02)) return { body: Buffer.alloc(0), contentType: contentTypes.json };
  let object = random.chance(0.75) ? plausibleObject(random, kind) : randomObject(random, kind);
  if (random.chance(0.4)) object = mutated(random, object);
  if (method === 'PATCH') return patchOf(random, object);
  const form = random.pick(['json', 'json', 'json', 'yaml', 'protobuf'] as const);
  const whole =
    form === 'json'
      ? Buffer.from(JSON.stringify(object))
      : form === 'yaml'
        ? Buffer.from(stringify(object))
        : encodeProtobuf(kind, object);
  const body = random.chance(0.15) ? mutateBytes(random, whole) : whole;
  const contentType = random.chance(0.03)
    ? random.pick(['text/plain', 'x', 'application/json; charset=utf-16'])
    : contentTypes[form];
  return { body, contentType };
}

function mutated(random: Random, object: JsonObject): JsonObject {
  let result: unknown = object;
  for (let times = 1 + random.below(3); times > 0; times -= 1) result = mutateValue(random, result);
  return typeof result === 'object' && result !== null ? { ...result } : { value: result };
}

const pointers = [
  '/metadata/labels/app',
  '/spec',
  '/spec/replicas',
  '/spec/containers/0/image',
  '/spec/containers/-',
  '',
  '/',
  '/metadata',
  '/~1',
  '/spec/containers/99',
  '/spec/template/spec/containers/0/env',
  '/status',
  '/__proto__/x',
];

function patchOf(random: Random, object: JsonObject): { body: Buffer; contentType: string } {
  const contentType = random.pick(patchTypes);
  let value: unknown = object;
  if (contentType.includes('json-patch')) {
    value = Array.from({ length: 1 + random.below(4) }, () => ({
      op: random.pick(['add', 'remove', 'replace', 'move', 'copy', 'test', 'x']),
      path: random.pick(pointers),
      from: random.pick(pointers),
      value: random.pick([1, 'x', null, [], {}, object]),
    }));
    if (random.chance(0.2)) value = mutateValue(random, value);
  } else if (contentType.includes('strategic') && random.chance(0.5)) {
    value = mutateValue(random, {
      spec: { $setElementOrder: [], containers: [{ name: 'main', $patch: 'delete' }], ...object },
    });
  }
  const body = Buffer.from(JSON.stringify(value) ?? '');
  return { body: random.chance(0.15) ? mutateBytes(random, body) : body, contentType };
}

/**
 * What kubectl asks for before it creates or applies: OpenAPI documents, made from the tables. Version 3 tells it that
 * the server validates fields, and feeds `kubectl explain`; version 2 only has to exist.
 */
import { createHash } from 'node:crypto';
import { apiVersionOf, hasSubresource, type Kind } from './kind.ts';
import { allKinds } from './kinds.ts';
import { schemasOf } from './openapi-schemas.ts';
import type { JsonObject } from './schema.ts';

/** The smallest OpenAPI 2 document in its protobuf form: `{swagger: "2.0", info: {title: "", version: "v1"}}`. */
export const openApiV2Minimal: Uint8Array = Buffer.from('0a03322e3012070a017812027631', 'hex');

/** Content type of openApiV2Minimal; repeating the one that kubectl asks for breaks Go's parser (`@`). */
export const openApiV2ContentType = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

/**
 * `/openapi/v3`: where the document of each group and version is. `prefix` stands before the paths, such as
 * `/grids/main`: clients take them as they are. Costs some milliseconds: keep the answer.
 */
export function openApiV3Index(prefix = ''): JsonObject {
  const paths: JsonObject = {};
  for (const path of documentPaths()) {
    const hash = createHash('sha256')
      .update(JSON.stringify(openApiV3Document(path)))
      .digest('hex')
      .slice(0, 32);
    paths[path] = { serverRelativeURL: `${prefix}/openapi/v3/${path}?hash=${hash.toUpperCase()}` };
  }
  return { paths };
}

/** `/openapi/v3/<path>`: `api/v1`, `apis/apps/v1` …; undefined for one that is not served. */
export function openApiV3Document(path: string): JsonObject | undefined {
  const kinds = allKinds.filter((kind) => documentPath(kind) === path);
  if (kinds.length === 0) return undefined;
  return {
    openapi: '3.0.0',
    info: { title: 'Flotilla', version: 'v1' },
    paths: Object.assign({}, ...kinds.map(pathsOf)) as JsonObject,
    components: { schemas: schemasOf(kinds) },
  };
}

export function documentPaths(): string[] {
  return [...new Set(allKinds.map(documentPath))];
}

function documentPath(kind: Kind): string {
  return `${kind.group === '' ? 'api' : 'apis'}/${apiVersionOf(kind)}`;
}

function pathsOf(kind: Kind): JsonObject {
  const list = `/${documentPath(kind)}${kind.namespaced ? '/namespaces/{namespace}' : ''}/${kind.plural}`;
  const type = { group: kind.group, version: kind.version, kind: kind.kind };
  const operation = (action: string, parameters: readonly JsonObject[] = []): JsonObject => ({
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': type,
    parameters,
    responses: { 200: { description: 'OK' } },
  });
  const one = {
    get: operation('get'),
    put: operation('put', writeParameters),
    patch: operation('patch', [...writeParameters, forceParameter]),
    delete: operation('delete', [dryRunParameter]),
  };
  const { delete: _delete, ...status } = one;
  return {
    [list]: { get: operation('list'), post: operation('post', writeParameters) },
    [`${list}/{name}`]: one,
    ...(hasSubresource(kind, 'status') ? { [`${list}/{name}/status`]: status } : {}),
  };
}

function query(name: string, type: 'string' | 'boolean', description: string): JsonObject {
  return { name, in: 'query', description, schema: { type, uniqueItems: true } };
}

// Written out wherever they are used: kubectl follows no references here, and trips over an empty place in the list.
const dryRunParameter = query('dryRun', 'string', 'All: do everything but keep it.');
const forceParameter = query('force', 'boolean', 'Take over fields that others own.');
const writeParameters: readonly JsonObject[] = [
  dryRunParameter,
  query('fieldManager', 'string', 'Who writes.'),
  query('fieldValidation', 'string', 'Strict, Warn or Ignore: what becomes of unknown fields.'),
];

import { scaleBody } from '../../resources/bodies.ts';
import { decodeValue } from '../../resources/decode.ts';
import { isObject } from '../../resources/json.ts';
import { apiVersionOf, type Kind } from '../../resources/kind.ts';
import type { Deployment } from '../../resources/kinds.ts';
import type { ApiObject } from '../../resources/object.ts';
import { type Scale, scaleOf } from '../../resources/scale.ts';
import { badRequest } from '../registry/api-errors.ts';
import type { AppliedObject } from '../registry/apply.ts';
import type { Ref } from '../registry/registry.ts';
import type { Exchange } from './exchange.ts';
import { mediaType, parseApplyBody, readBody } from './request-body.ts';
import { applyMediaType } from './write-options.ts';
import { inNamespace, type Write, warned } from './write-request.ts';

/** Whether the request is a server-side apply. */
export function isApplyRequest({ request }: Exchange): boolean {
  return request.method === 'PATCH' && mediaType(request) === applyMediaType;
}

/** Makes or changes an object as its body states. Throws ApiError 400 for fields that no table has, whatever is asked. */
export async function applyOne(write: Write, ref: Ref, part?: 'status'): Promise<AppliedObject> {
  const { kind, registry, call, isForced } = write;
  const { config, unknown } = withName(write, ref, await decodedConfig(write));
  if (unknown !== undefined) throw notInSchema(kind, config, unknown);
  const applied = await registry.apply(call, kind, { part, config, isForced });
  warned(write, applied.object);
  return applied;
}

interface Decoded {
  readonly object: ApiObject;
  /** `unknown field "dat"` */
  readonly warnings: readonly string[];
}

async function decodedConfig({ kind, strictness, call, exchange }: Write): Promise<Decoded> {
  const { value, problems } = parseApplyBody(await readBody(exchange.request));
  if (problems.length > 0 && strictness === 'Strict') {
    throw badRequest(`error strict decoding YAML: ${problems.join(', ')}`);
  }
  if (strictness === 'Warn') for (const sentence of problems) call.warn?.(sentence);
  const expected = apiVersionOf(kind);
  const sent = isObject(value) ? (value.apiVersion ?? '') : '';
  if (sent !== expected) {
    throw badRequest(
      `Incorrect version specified in apply patch. Specified patch version: ${String(sent)}, expected: ${expected}`,
    );
  }
  return decodeValue<ApiObject>(kind, value, { strictness: 'Warn' });
}

function withName(
  write: Write,
  ref: Ref,
  { object, warnings }: Decoded,
): { readonly config: ApiObject; readonly unknown: string | undefined } {
  const name = object.metadata.name || ref.name;
  if (name !== ref.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${ref.name})`);
  }
  const config = inNamespace(write, { ...object, metadata: { ...object.metadata, name } });
  return { config, unknown: warnings[0] };
}

function notInSchema(kind: Kind, { metadata }: ApiObject, unknown: string) {
  const version = `${kind.group === '' ? '/' : ''}${apiVersionOf(kind)}`;
  const where = `${metadata.namespace ?? ''}/${metadata.name}; ${version}, Kind=${kind.kind}`;
  const path = unknown.replace(/^unknown field "(.*)"$/, '.$1');
  return badRequest(`failed to create typed patch object (${where}): ${path}: field not declared in schema`);
}

/** A Scale that is applied states one field of the object behind it. */
export async function applyScale(write: Write, ref: Ref): Promise<Scale> {
  const { kind, registry, call, isForced, exchange } = write;
  const { value } = parseApplyBody(await readBody(exchange.request));
  const { spec = {} } = decodeValue<Scale>(scaleBody, value, { strictness: 'Ignore' }).object;
  const stated = { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata: { name: ref.name }, spec };
  const config = inNamespace(write, stated);
  return scaleOf((await registry.apply(call, kind, { part: 'scale', config, isForced })).object as Deployment);
}

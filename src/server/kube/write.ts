import { bindingBody, scaleBody } from '../../resources/bodies.ts';
import type { Decodable } from '../../resources/decode.ts';
import { invalid, invalidError } from '../../resources/field-errors.ts';
import type { Kind } from '../../resources/kind.ts';
import { leases, podDisruptionBudgets } from '../../resources/kinds.ts';
import type { ApiObject } from '../../resources/object.ts';
import { badRequest, methodNotAllowed, unsupportedMediaType } from '../registry/api-errors.ts';
import type { Ref } from '../registry/registry.ts';
import { applyScale, isApplyRequest } from './apply-one.ts';
import { deleteOptionsOf, dryIf } from './delete-options.ts';
import { decodeBody, mediaType, parseJsonPatch, readBody } from './request-body.ts';
import { applyMediaType } from './write-options.ts';
import { inNamespace, type Write, warned } from './write-request.ts';

export async function createOne(write: Write): Promise<ApiObject> {
  const object = await objectFromBody(write, write.kind);
  return warned(write, await write.registry.create(write.call, write.kind, object));
}

/** Replaced by who has seen the newest state, or by nobody; the others take what comes. */
const withoutBlindUpdate: readonly Kind[] = [leases, podDisruptionBudgets];

export async function updateOne(write: Write, ref: Ref, part?: 'status' | 'finalize'): Promise<ApiObject> {
  const object = await objectFromBody(write, write.kind);
  object.metadata.name ||= ref.name;
  const needsVersion = part === undefined && withoutBlindUpdate.includes(write.kind);
  if (needsVersion && !object.metadata.resourceVersion) {
    throw invalidError(write.kind, ref.name, [
      invalid('metadata.resourceVersion', 0, 'must be specified for an update'),
    ]);
  }
  return warned(write, await write.registry.update(write.call, write.kind, ref, object, part));
}

export async function patchOne(write: Write, ref: Ref, part?: 'status' | 'finalize'): Promise<ApiObject> {
  const patch = await patchFromBody(write);
  const { strictness } = write;
  return warned(write, await write.registry.patch(write.call, write.kind, ref, { ...patch, strictness, part }));
}

export async function scaleOne(write: Write, ref: Ref, method: string): Promise<object> {
  const { registry, call, kind, exchange } = write;
  if (isApplyRequest(exchange)) return await applyScale(write, ref);
  if (method === 'PATCH') return await registry.changeScale(call, kind, ref, await patchFromBody(write));
  const body = await readBody(exchange.request);
  const decoded = decodeBody(scaleBody, body, mediaType(exchange.request), write.strictness);
  for (const sentence of decoded.warnings) call.warn?.(sentence);
  const { name } = decoded.object.metadata;
  if (name && name !== ref.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${ref.name})`);
  }
  return await registry.changeScale(call, kind, ref, decoded.object);
}

export async function bindOne(write: Write, ref: Ref): Promise<object> {
  const { exchange } = write;
  const body = await readBody(exchange.request);
  const decoded = decodeBody(bindingBody, body, mediaType(exchange.request), write.strictness);
  await write.registry.bind(write.call, ref, decoded.object);
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
}

/** The object while it lives on, else a Status that names what is gone. */
export async function deleteOne(write: Write, ref: Ref): Promise<object> {
  const options = await deleteOptionsOf(write.exchange);
  const { registry, kind } = write;
  const { isGone, object } = await registry.delete(dryIf(write.call, options), kind, ref, options);
  if (!isGone) return object;
  const { name, uid } = object.metadata;
  const group = kind.group === '' ? {} : { group: kind.group };
  const details = { name, ...group, kind: kind.plural, uid };
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details };
}

async function objectFromBody(write: Write, decodable: Decodable): Promise<ApiObject> {
  const { request } = write.exchange;
  const body = await readBody(request);
  if (body.length === 0) throw badRequest('the body of the request is empty: an object is expected');
  const decoded = decodeBody<ApiObject>(decodable, body, mediaType(request), write.strictness);
  for (const sentence of decoded.warnings) write.call.warn?.(sentence);
  return inNamespace(write, decoded.object);
}

const patchTypes = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
} as const;

async function patchFromBody({ exchange, kind }: Write) {
  const sent = mediaType(exchange.request);
  const type = Object.hasOwn(patchTypes, sent) ? patchTypes[sent as keyof typeof patchTypes] : undefined;
  const isKnown = type !== undefined && (type !== 'strategic' || kind.hasStrategicMerge);
  const accepted = Object.keys(patchTypes).filter((one) => kind.hasStrategicMerge || !one.includes('strategic'));
  if (!isKnown) throw unsupportedMediaType(sent, [...accepted, applyMediaType]);
  const { value, problems } = parseJsonPatch(await readBody(exchange.request));
  return { type, body: value, problems };
}

/** Methods that an existing path does not have. */
export function refuseMethod(method: string | undefined): never {
  throw methodNotAllowed(`the server does not allow the method ${method} on the requested resource`);
}

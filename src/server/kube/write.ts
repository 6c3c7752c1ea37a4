import type { DeleteOptions } from 'kubernetes-types/meta/v1.js';
import { ApiError } from '../../resources/api-error.ts';
import { bindingBody, deleteOptionsBody, scaleBody } from '../../resources/bodies.ts';
import type { Decodable, Strictness } from '../../resources/decode.ts';
import type { Kind } from '../../resources/kind.ts';
import type { Node, Service } from '../../resources/kinds.ts';
import type { ApiObject } from '../../resources/object.ts';
import { badRequest, methodNotAllowed, unsupportedMediaType } from '../registry/api-errors.ts';
import type { Call } from '../registry/call.ts';
import type { Ref, Registry } from '../registry/registry.ts';
import type { Exchange } from './exchange.ts';
import { decodeBody, mediaType, parseJsonBody, readBody } from './request-body.ts';

/** A write, understood but for its body. */
export interface Write {
  readonly exchange: Exchange;
  readonly registry: Registry;
  readonly kind: Kind;
  readonly namespace: string | undefined;
  readonly call: Call;
}

const strictnesses: readonly string[] = ['Strict', 'Warn', 'Ignore'];

/** Of unknown fields. Default Warn. */
export function strictnessOf(query: URLSearchParams): Strictness {
  const text = query.get('fieldValidation') || 'Warn';
  if (!strictnesses.includes(text)) {
    throw badRequest(
      `fieldValidation: Unsupported value: ${JSON.stringify(text)}: supported values: "Ignore", "Strict", "Warn"`,
    );
  }
  return text as Strictness;
}

export function isDryRun(values: readonly string[]): boolean {
  const wrong = values.find((value) => value !== '' && value !== 'All');
  if (wrong !== undefined) {
    throw badRequest(`dryRun: Unsupported value: ${JSON.stringify(wrong)}: supported values: "All"`);
  }
  return values.includes('All');
}

export async function createOne(write: Write): Promise<ApiObject> {
  const object = await objectFromBody(write, write.kind);
  return warned(write, await write.registry.create(write.call, write.kind, object));
}

export async function updateOne(write: Write, ref: Ref, part?: 'status' | 'finalize'): Promise<ApiObject> {
  const object = await objectFromBody(write, write.kind);
  object.metadata.name ||= ref.name;
  return warned(write, await write.registry.update(write.call, write.kind, ref, object, part));
}

export async function patchOne(write: Write, ref: Ref, part?: 'status' | 'finalize'): Promise<ApiObject> {
  const patch = await patchFromBody(write);
  const strictness = strictnessOf(write.exchange.query);
  return warned(write, await write.registry.patch(write.call, write.kind, ref, { ...patch, strictness, part }));
}

export async function scaleOne(write: Write, ref: Ref, method: string): Promise<object> {
  const { registry, call, kind, exchange } = write;
  if (method === 'PATCH') return await registry.changeScale(call, kind, ref, await patchFromBody(write));
  const body = await readBody(exchange.request);
  const decoded = decodeBody(scaleBody, body, mediaType(exchange.request), strictnessOf(exchange.query));
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
  const decoded = decodeBody(bindingBody, body, mediaType(exchange.request), strictnessOf(exchange.query));
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

/** In the body, as kubectl and helm send them, or in the query. */
export async function deleteOptionsOf({ request, query }: Exchange): Promise<DeleteOptions> {
  const body = await readBody(request);
  const grace = query.get('gracePeriodSeconds');
  if (grace !== null && !/^[0-9]{1,9}$/.test(grace)) {
    throw badRequest(`gracePeriodSeconds: Invalid value: ${JSON.stringify(grace)}: a number of seconds expected`);
  }
  const policy = query.get('propagationPolicy');
  const fromQuery = {
    ...(grace === null ? {} : { gracePeriodSeconds: Number(grace) }),
    ...(policy ? { propagationPolicy: policy } : {}),
    ...(query.get('orphanDependents') === 'true' ? { orphanDependents: true } : {}),
    ...(query.has('dryRun') ? { dryRun: query.getAll('dryRun') } : {}),
  };
  const sent = body.length === 0 ? {} : decodeBody(deleteOptionsBody, body, mediaType(request), 'Ignore').object;
  const options: DeleteOptions = { ...fromQuery, ...sent };
  const wanted = options.propagationPolicy;
  if (wanted !== undefined && !['', 'Background', 'Foreground', 'Orphan'].includes(wanted)) {
    throw badRequest(
      `propagationPolicy: Unsupported value: ${JSON.stringify(wanted)}: supported values: "Background", "Foreground", "Orphan"`,
    );
  }
  return options;
}

export function dryIf(call: Call, options: DeleteOptions): Call {
  return isDryRun(options.dryRun ?? []) ? { ...call, isDryRun: true } : call;
}

async function objectFromBody(write: Write, decodable: Decodable): Promise<ApiObject> {
  const { request, query } = write.exchange;
  const body = await readBody(request);
  if (body.length === 0) throw badRequest('the body of the request is empty: an object is expected');
  const decoded = decodeBody<ApiObject>(decodable, body, mediaType(request), strictnessOf(query));
  for (const sentence of decoded.warnings) write.call.warn?.(sentence);
  const { object } = decoded;
  if (!write.kind.namespaced) return object;
  const sent = object.metadata.namespace;
  if (sent && write.namespace !== undefined && sent !== write.namespace) {
    throw badRequest(
      `the namespace of the provided object does not match the namespace sent on the request: ${sent}, ${write.namespace}`,
    );
  }
  if (write.namespace !== undefined) object.metadata.namespace = write.namespace;
  return object;
}

const patchTypes = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
} as const;

async function patchFromBody({ exchange, kind }: Write) {
  const sent = mediaType(exchange.request);
  const type = Object.hasOwn(patchTypes, sent) ? patchTypes[sent as keyof typeof patchTypes] : undefined;
  if (sent === 'application/apply-patch+yaml') {
    throw new ApiError({
      code: 415,
      reason: 'UnsupportedMediaType',
      message: `server-side apply is not supported: use apply without --server-side (accepted media types include: ${Object.keys(patchTypes).join(', ')})`,
    });
  }
  const isKnown = type !== undefined && (type !== 'strategic' || kind.hasStrategicMerge);
  const accepted = Object.keys(patchTypes).filter((one) => kind.hasStrategicMerge || !one.includes('strategic'));
  if (!isKnown) throw unsupportedMediaType(sent, accepted);
  return { type, body: parseJsonBody(await readBody(exchange.request)) };
}

const taintWarnings: Readonly<Record<string, string>> = {
  NoExecute: 'NoExecute keeps new pods away and leaves those that run: use "flotilla node drain" to move them',
  PreferNoSchedule: 'PreferNoSchedule changes nothing here: use NoSchedule',
};

/** What is understood but works in another way than elsewhere is said. */
function warned(write: Write, object: ApiObject): ApiObject {
  if (write.kind.group !== '') return object;
  if (write.kind.plural === 'nodes') {
    (object as Node).spec.taints?.forEach(({ effect }, index) => {
      const sentence = taintWarnings[effect];
      if (sentence !== undefined) write.call.warn?.(`spec.taints[${index}]: ${sentence}`);
    });
  }
  if (write.kind.plural !== 'services') return object;
  (object as Service).spec.ports?.forEach(({ port, targetPort = port }, index) => {
    if (targetPort === port) return;
    write.call.warn?.(
      `spec.ports[${index}]: the name of a Service object answers the pods' own addresses: connect to the target port ${targetPort}, not to port ${port}`,
    );
  });
  return object;
}

/** Methods that an existing path does not have. */
export function refuseMethod(method: string | undefined): never {
  throw methodNotAllowed(`the server does not allow the method ${method} on the requested resource`);
}

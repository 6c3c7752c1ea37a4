// Requests on objects: authorised, then carried out.
import { hasCode } from '../../lib/errors.ts';
import type { Kind } from '../../resources/kind.ts';
import type { Pod } from '../../resources/kinds.ts';
import type { ServiceAccountTokens } from '../auth/service-account/tokens.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import type { WatchCache } from '../cache/watch-cache.ts';
import { isClientGone } from '../http/lifetimes.ts';
import { badRequest, methodNotAllowed, notFound } from '../registry/api-errors.ts';
import type { Call } from '../registry/call.ts';
import type { Ref, Registry } from '../registry/registry.ts';
import type { Attributes, Authorizer, PodStreams } from '../request.ts';
import type { Standstill } from '../standstill.ts';
import { applyOne, isApplyRequest } from './apply-one.ts';
import { admission, type ObjectRoute, requireAllowed, requireAllowedFirst } from './authorize.ts';
import { deleteMany } from './delete-many.ts';
import { evictOne } from './evict-one.ts';
import { type Exchange, sendJson, sendText } from './exchange.ts';
import { partialOf, sendList, tableOf, tableOptions } from './list.ts';
import { parseListOptions } from './list-options.ts';
import { negotiate } from './negotiate.ts';
import { readPage } from './read-page.ts';
import { requestToken } from './token-request.ts';
import { sendWatch, type WatchDependencies } from './watch.ts';
import { bindOne, createOne, deleteOne, patchOne, refuseMethod, scaleOne, updateOne } from './write.ts';
import { parseWriteOptions } from './write-options.ts';
import type { Write } from './write-request.ts';

export interface ObjectDependencies extends WatchDependencies {
  readonly registry: Registry;
  readonly authorizer: Authorizer;
  readonly podStreams: PodStreams;
  readonly standstill: Standstill | undefined;
  readonly serviceAccountTokens: ServiceAccountTokens | undefined;
}

export async function handleObjects(
  exchange: Exchange,
  dependencies: ObjectDependencies,
  route: ObjectRoute,
  attributes: Attributes,
): Promise<void> {
  const { kind, namespace } = route;
  await requireAllowedFirst(dependencies.authorizer, dependencies.cache, exchange.context, attributes);
  if (!route.kind.verbs.includes(attributes.verb) && !attributes.subresource) throw methodNotAllowed();
  const write = writeOf(exchange, dependencies, route, attributes);
  if (route.type === 'object') {
    const ref: Ref = { namespace, name: route.name };
    return route.subresource
      ? await handleSubresource(write, dependencies, ref, route.subresource)
      : await handleObject(write, dependencies, ref);
  }
  switch (attributes.verb) {
    case 'create': {
      if (kind.namespaced && namespace === undefined) throw methodNotAllowed();
      const made = await createOne(write);
      exchange.createdName = made.metadata.name;
      return await sendObject(exchange, kind, made, 201);
    }
    case 'deletecollection':
      return await deleteMany(write, dependencies.cache);
    default:
      return await readMany(exchange, dependencies, kind, namespace);
  }
}

/** What is asked, for writes with their options understood; a deletion has options of its own. */
function writeOf(
  exchange: Exchange,
  { authorizer, registry, standstill }: ObjectDependencies,
  { kind, namespace }: ObjectRoute,
  attributes: Attributes,
): Write {
  const { context, query, warnings } = exchange;
  const { verb } = attributes;
  const warn = (sentence: string) => void warnings.push(sentence);
  const base = { grid: context.grid, warn, confirm: () => confirmClient(context.signal, standstill) };
  const one = { exchange, registry, kind, namespace } as const;
  // A list names what may be deleted; each object has been read by the same right.
  if (verb !== 'create' && verb !== 'update' && verb !== 'patch') {
    return { ...one, call: base, strictness: 'Warn', isForced: false };
  }
  const { strictness, isForced, ...options } = parseWriteOptions(verb, query, context, isApplyRequest(exchange));
  const admit = admission(authorizer, context, attributes);
  return { ...one, call: { ...base, admit, ...options }, strictness, isForced };
}

/** A server that stood still reads what it was asked long ago, and a moment later that its client has given up. */
function confirmClient(signal: AbortSignal, standstill: Standstill | undefined): Promise<void> | undefined {
  const check = () => {
    if (isClientGone(signal)) throw badRequest('the client went away before anything was written');
  };
  check();
  return standstill?.settled()?.then(check);
}

async function readMany(
  exchange: Exchange,
  dependencies: ObjectDependencies,
  kind: Kind,
  namespace: string | undefined,
): Promise<void> {
  const { cache } = dependencies;
  const options = parseListOptions(kind, exchange.query, cache, namespace);
  if (options.isWatch || options.revision === 0) warnOfAge(exchange, cache);
  if (options.isWatch) return await sendWatch(exchange, dependencies, kind, options);
  negotiate(`${exchange.request.headers.accept ?? ''}`);
  await sendList(exchange, cache, kind, await readPage(dependencies, exchange.context.grid, kind, options));
}

async function handleObject(write: Write, dependencies: ObjectDependencies, ref: Ref): Promise<void> {
  const { exchange, kind, registry, call } = write;
  switch (exchange.request.method) {
    case 'GET':
    case 'HEAD': {
      const { object, json } =
        exchange.query.get('resourceVersion') === '0'
          ? knownObject(exchange, dependencies.cache, kind, ref)
          : await registry.get(call, kind, ref);
      const isPlain = negotiate(`${exchange.request.headers.accept ?? ''}`).form === 'Object';
      return isPlain ? await sendText(exchange, [json]) : await sendObject(exchange, kind, object);
    }
    case 'PUT':
      return await sendObject(exchange, kind, await updateOne(write, ref));
    case 'PATCH':
      return isApplyRequest(exchange)
        ? await sendApplied(write, dependencies, ref)
        : await sendObject(exchange, kind, await patchOne(write, ref));
    case 'DELETE':
      return await sendJson(exchange, await deleteOne(write, ref));
    default:
      return refuseMethod(exchange.request.method);
  }
}

/** As this server has it, whether or not the store can be asked. */
function knownObject(exchange: Exchange, cache: WatchCache, kind: Kind, ref: Ref): CachedObject {
  warnOfAge(exchange, cache);
  const found = cache.get(exchange.context.grid, kind, ref.namespace, ref.name);
  if (!found) throw notFound(kind, ref.name);
  return found;
}

/** Who reads what is at hand is told when it may be old. */
function warnOfAge(exchange: Exchange, cache: WatchCache): void {
  if (cache.silentMs === undefined) return;
  const seconds = Math.ceil(cache.silentMs / 1000);
  exchange.warnings.push(`the store does not answer: this is what the server knew ${seconds} s ago`);
}

/** Who applies what is not there makes it, and must be allowed to. */
async function sendApplied(write: Write, { authorizer }: ObjectDependencies, ref: Ref): Promise<void> {
  const { exchange, kind, call, namespace } = write;
  const mayCreate = admission(authorizer, exchange.context, {
    verb: 'create',
    grid: call.grid,
    kind,
    ...(namespace === undefined ? {} : { namespace }),
  });
  const admit: Call['admit'] = (object, old) => {
    if (!old) mayCreate(object, old);
    call.admit?.(object, old);
  };
  const { object, isNew } = await applyOne({ ...write, call: { ...call, admit } }, ref);
  return await sendObject(exchange, kind, object, isNew ? 201 : 200);
}

async function handleSubresource(
  write: Write,
  { podStreams, cache, clock, serviceAccountTokens }: ObjectDependencies,
  ref: Ref,
  subresource: string,
): Promise<void> {
  const { exchange, kind, registry, call } = write;
  const method = exchange.request.method ?? '';
  const isRead = method === 'GET' || method === 'HEAD';
  if (subresource === 'log' && isRead) {
    const pod = await podToReach({ registry, cache }, call, kind, ref);
    return await podStreams.logs(exchange.context, pod, exchange.path, exchange.response);
  }
  if (podStreamNames.some((one) => one === subresource)) throw badRequest('Upgrade request required');
  if (subresource === 'eviction' && method === 'POST') {
    const status = await evictOne(write, ref, { registry, cache, wallMs: () => clock.wallMs() });
    return await sendJson(exchange, status, { code: 201 });
  }
  if (subresource === 'token' && method === 'POST') {
    const made = await requestToken(write, ref, { tokens: serviceAccountTokens, wallMs: () => clock.wallMs() });
    return await sendJson(exchange, made, { code: 201 });
  }
  if (subresource === 'binding' && method === 'POST')
    return await sendJson(exchange, await bindOne(write, ref), { code: 201 });
  if (subresource === 'scale') {
    if (isRead) return await sendJson(exchange, await registry.getScale(call, kind, ref));
    if (method === 'PUT' || method === 'PATCH') return await sendJson(exchange, await scaleOne(write, ref, method));
  }
  if (subresource === 'status' || subresource === 'finalize') {
    if (isRead && subresource === 'status') {
      return await sendObject(exchange, kind, (await registry.get(call, kind, ref)).object);
    }
    if (method === 'PUT') return await sendObject(exchange, kind, await updateOne(write, ref, subresource));
    if (subresource === 'status' && isApplyRequest(exchange)) {
      return await sendObject(exchange, kind, (await applyOne(write, ref, subresource)).object);
    }
    if (method === 'PATCH') return await sendObject(exchange, kind, await patchOne(write, ref, subresource));
  }
  refuseMethod(method);
}

async function sendObject(exchange: Exchange, kind: Kind, object: Pod | object, code = 200): Promise<void> {
  const answer = negotiate(`${exchange.request.headers.accept ?? ''}`);
  const one = object as Pod;
  if (answer.form === 'Object') return await sendJson(exchange, object, { code });
  if (answer.form === 'PartialObjectMetadata') return await sendJson(exchange, partialOf(one, answer), { code });
  const { resourceVersion } = one.metadata;
  const options = { ...tableOptions(exchange), ...(resourceVersion ? { resourceVersion } : {}) };
  await sendJson(exchange, tableOf(kind, [one], answer, options), { code });
}

/** Subresources of pods that are served after an upgrade only. */
export const podStreamNames = ['exec', 'attach', 'portforward'] as const;

/** The pod of such a request, after the question whether it may be asked. */
export async function podForStream(
  exchange: Pick<Exchange, 'context'>,
  dependencies: ObjectDependencies,
  route: ObjectRoute,
  attributes: Attributes,
): Promise<Pod> {
  requireAllowed(dependencies.authorizer, exchange.context, attributes);
  if (route.type !== 'object') throw notFound(route.kind, '');
  const ref = { namespace: route.namespace, name: route.name };
  return await podToReach(dependencies, { grid: exchange.context.grid }, route.kind, ref);
}

/** While the store is silent, where a pod was last seen to be will do: its agent knows whether it still has it. */
async function podToReach(
  { registry, cache }: Pick<ObjectDependencies, 'registry' | 'cache'>,
  call: Call,
  kind: Kind,
  ref: Ref,
): Promise<Pod> {
  try {
    return (await registry.get(call, kind, ref)).object as Pod;
  } catch (error) {
    const known = hasCode(error, 'StoreUnavailable') && cache.get(call.grid, kind, ref.namespace, ref.name);
    if (!known) throw error;
    return known.object as Pod;
  }
}

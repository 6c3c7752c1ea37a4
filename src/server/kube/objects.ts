// Requests on objects: authorised, then carried out.
import type { Kind } from '../../resources/kind.ts';
import type { Pod } from '../../resources/kinds.ts';
import { badRequest, methodNotAllowed, notFound } from '../registry/api-errors.ts';
import type { Call } from '../registry/call.ts';
import type { Ref, Registry } from '../registry/registry.ts';
import type { Attributes, Authorizer, PodStreams } from '../request.ts';
import { admission, type ObjectRoute, requireAllowed } from './authorize.ts';
import { type Exchange, sendJson, sendText } from './exchange.ts';
import { partialOf, readPage, sendList, tableOf, tableOptions } from './list.ts';
import { parseListOptions } from './list-options.ts';
import { negotiate } from './negotiate.ts';
import { sendWatch, type WatchDependencies } from './watch.ts';
import {
  bindOne,
  createOne,
  deleteOne,
  deleteOptionsOf,
  dryIf,
  isDryRun,
  patchOne,
  refuseMethod,
  scaleOne,
  updateOne,
  type Write,
} from './write.ts';

export interface ObjectDependencies extends WatchDependencies {
  readonly registry: Registry;
  readonly authorizer: Authorizer;
  readonly podStreams: PodStreams;
}

export async function handleObjects(
  exchange: Exchange,
  dependencies: ObjectDependencies,
  route: ObjectRoute,
  attributes: Attributes,
): Promise<void> {
  const { kind, namespace } = route;
  requireAllowed(dependencies.authorizer, exchange.context, attributes);
  if (!route.kind.verbs.includes(attributes.verb) && !attributes.subresource) throw methodNotAllowed();
  const call = callOf(exchange, dependencies, attributes);
  const write: Write = { exchange, registry: dependencies.registry, kind, namespace, call };
  if (route.type === 'object') {
    const ref: Ref = { namespace, name: route.name };
    return route.subresource
      ? await handleSubresource(write, dependencies, ref, route.subresource)
      : await handleObject(write, ref);
  }
  switch (attributes.verb) {
    case 'create': {
      if (kind.namespaced && namespace === undefined) throw methodNotAllowed();
      const made = await createOne(write);
      exchange.createdName = made.metadata.name;
      return await sendObject(exchange, kind, made, 201);
    }
    case 'deletecollection':
      return await deleteMany(write, dependencies);
    default:
      return await readMany(exchange, dependencies, kind, namespace);
  }
}

function callOf(exchange: Exchange, { authorizer }: ObjectDependencies, attributes: Attributes): Call {
  const { context, query, warnings } = exchange;
  // A list names what may be deleted; each object has been read by the same right.
  const isWrite = ['create', 'update', 'patch'].includes(attributes.verb);
  return {
    grid: context.grid,
    isDryRun: isDryRun(query.getAll('dryRun')),
    warn: (sentence) => void warnings.push(sentence),
    ...(isWrite ? { admit: admission(authorizer, context, attributes) } : {}),
  };
}

async function readMany(
  exchange: Exchange,
  dependencies: ObjectDependencies,
  kind: Kind,
  namespace: string | undefined,
): Promise<void> {
  const { cache } = dependencies;
  const options = parseListOptions(kind, exchange.query, cache, namespace);
  if (options.isWatch) return await sendWatch(exchange, dependencies, kind, options);
  negotiate(`${exchange.request.headers.accept ?? ''}`);
  await sendList(exchange, cache, kind, await readPage(cache, exchange.context.grid, kind, options));
}

async function handleObject(write: Write, ref: Ref): Promise<void> {
  const { exchange, kind, registry, call } = write;
  switch (exchange.request.method) {
    case 'GET':
    case 'HEAD': {
      const { object, json } = await registry.get(call, kind, ref);
      const isPlain = negotiate(`${exchange.request.headers.accept ?? ''}`).form === 'Object';
      return isPlain ? await sendText(exchange, [json]) : await sendObject(exchange, kind, object);
    }
    case 'PUT':
      return await sendObject(exchange, kind, await updateOne(write, ref));
    case 'PATCH':
      return await sendObject(exchange, kind, await patchOne(write, ref));
    case 'DELETE':
      return await sendJson(exchange, await deleteOne(write, ref));
    default:
      return refuseMethod(exchange.request.method);
  }
}

async function handleSubresource(
  write: Write,
  { podStreams }: ObjectDependencies,
  ref: Ref,
  subresource: string,
): Promise<void> {
  const { exchange, kind, registry, call } = write;
  const method = exchange.request.method ?? '';
  const isRead = method === 'GET' || method === 'HEAD';
  if (subresource === 'log' && isRead) {
    const pod = (await registry.get(call, kind, ref)).object as Pod;
    return await podStreams.logs(exchange.context, pod, exchange.path, exchange.response);
  }
  if (podStreamNames.some((one) => one === subresource)) throw badRequest('Upgrade request required');
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
    if (method === 'PATCH') return await sendObject(exchange, kind, await patchOne(write, ref, subresource));
  }
  refuseMethod(method);
}

/** So many deletions of a collection are under way at once. */
const deletionsAtOnce = 16;

async function deleteMany(write: Write, { cache }: ObjectDependencies): Promise<void> {
  const { exchange, kind, registry } = write;
  const options = await deleteOptionsOf(exchange);
  const call = dryIf(write.call, options);
  const listOptions = parseListOptions(kind, exchange.query, cache, write.namespace);
  const page = await readPage(cache, exchange.context.grid, kind, listOptions);
  const rest = [...page.items];
  const worker = async () => {
    for (let item = rest.pop(); item; item = rest.pop()) {
      const { name, namespace } = item.object.metadata;
      await registry.delete(call, kind, { name, namespace }, options).catch((error: unknown) => {
        // Somebody else was faster: it is gone, as it should be.
        if ((error as { status?: { code?: number } }).status?.code !== 404) throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: deletionsAtOnce }, worker));
  await sendList(exchange, cache, kind, page);
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
  { authorizer, registry }: ObjectDependencies,
  route: ObjectRoute,
  attributes: Attributes,
): Promise<Pod> {
  requireAllowed(authorizer, exchange.context, attributes);
  if (route.type !== 'object') throw notFound(route.kind, '');
  const ref = { namespace: route.namespace, name: route.name };
  return (await registry.get({ grid: exchange.context.grid }, route.kind, ref)).object as Pod;
}

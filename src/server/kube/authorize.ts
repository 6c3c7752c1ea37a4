import { ApiError } from '../../resources/api-error.ts';
import type { Kind } from '../../resources/kind.ts';
import { nodesGroup } from '../../resources/names.ts';
import type { ApiObject } from '../../resources/object.ts';
import { escalationProblem } from '../auth/rbac/escalation.ts';
import type { WatchCache } from '../cache/watch-cache.ts';
import { forbidden } from '../registry/api-errors.ts';
import type { Call } from '../registry/call.ts';
import type { Attributes, Authorizer, RequestContext } from '../request.ts';
import { isWatchQuery } from './list-options.ts';
import type { Route } from './route.ts';

export type ObjectRoute = Extract<Route, { readonly type: 'objects' | 'object' }>;

/** What a request on objects wants, in Kubernetes' words. Undefined: the method means nothing here. */
export function attributesOf(
  context: RequestContext,
  route: ObjectRoute,
  method: string,
  query: URLSearchParams,
): Attributes | undefined {
  const verb = verbOf(route, method, isWatchQuery(query));
  if (!verb) return undefined;
  const fieldSelector = query.get('fieldSelector');
  return {
    verb,
    grid: context.grid,
    kind: route.kind,
    ...(route.namespace === undefined ? {} : { namespace: route.namespace }),
    ...(route.type === 'object' ? { name: route.name } : {}),
    ...(route.type === 'object' && route.subresource ? { subresource: route.subresource } : {}),
    ...(fieldSelector ? { fieldSelector } : {}),
  };
}

function verbOf(route: ObjectRoute, method: string, isWatch: boolean): Attributes['verb'] | undefined {
  const isOne = route.type === 'object';
  switch (method) {
    case 'GET':
      return isOne ? 'get' : isWatch ? 'watch' : 'list';
    case 'HEAD':
      return isOne ? 'get' : isWatch ? undefined : 'list';
    case 'POST':
      return isOne && !route.subresource ? undefined : 'create';
    case 'PUT':
      return isOne ? 'update' : undefined;
    case 'PATCH':
      return isOne ? 'patch' : undefined;
    case 'DELETE':
      return isOne ? 'delete' : 'deletecollection';
    default:
      return undefined;
  }
}

/** Throws ApiError 403. */
export function requireAllowed(authorizer: Authorizer, context: RequestContext, attributes: Attributes): void {
  const decision = authorizer.authorize(context.user, attributes);
  if (!decision.allowed) throw forbidden(attributes.kind, attributes.name, decision.reason);
}

/**
 * The same, before anything is known of the object. What a node may do follows from its pods: one that this server has not
 * heard of yet is asked of the store first, for a node takes a refusal as the end of the matter.
 */
export async function requireAllowedFirst(
  authorizer: Authorizer,
  cache: Pick<WatchCache, 'fresh'>,
  context: RequestContext,
  attributes: Attributes,
): Promise<void> {
  if (context.user.groups.includes(nodesGroup) && !authorizer.authorize(context.user, attributes).allowed) {
    await cache.fresh();
  }
  requireAllowed(authorizer, context, attributes);
}

/** For reading what is no object. Throws ApiError 403. */
export function requirePath(authorizer: Authorizer, { user, grid }: RequestContext, path: string): void {
  const decision = authorizer.authorizePath(user, { grid, verb: 'get', path });
  if (decision.allowed) return;
  throw new ApiError({ code: 403, reason: 'Forbidden', message: `forbidden: ${decision.reason}`, details: {} });
}

/** The second question, with the object that would be written. */
export function admission(
  authorizer: Authorizer,
  context: RequestContext,
  attributes: Attributes,
): NonNullable<Call['admit']> {
  const { kind } = attributes;
  return (object: ApiObject, old: ApiObject | undefined) => {
    requireAllowed(authorizer, context, { ...attributes, object });
    if (attributes.subresource) return;
    const problem = escalationProblem(authorizer, { user: context.user, grid: context.grid, kind, object, old });
    if (problem !== undefined) throw forbidden(kind, object.metadata.name, problem);
  };
}

export function isMutating(verb: Attributes['verb'], kind: Kind, subresource: string | undefined): boolean {
  if (verb === 'get') return kind.plural === 'pods' && ['exec', 'attach', 'portforward'].includes(subresource ?? '');
  return verb !== 'list' && verb !== 'watch';
}

import type { Kind } from '../../resources/kind.ts';
import { allKinds, kindFor } from '../../resources/kinds.ts';
import { badRequest } from '../registry/api-errors.ts';

/** What a path is about. */
export type Route =
  | { readonly type: 'objects'; readonly kind: Kind; readonly namespace?: string }
  | {
      readonly type: 'object';
      readonly kind: Kind;
      readonly namespace?: string;
      readonly name: string;
      readonly subresource?: string;
    }
  /** `selfsubjectreviews` and its like: answered, never stored. */
  | ReviewRoute
  | { readonly type: 'discovery'; readonly path: 'api' | 'apis' }
  | { readonly type: 'groupVersion'; readonly group: string; readonly version: string }
  | { readonly type: 'group'; readonly group: string }
  | { readonly type: 'openApi'; readonly version: 'v2' | 'v3'; readonly document?: string }
  | { readonly type: 'version' }
  | { readonly type: 'health'; readonly check: string };

export interface ReviewRoute {
  readonly type: 'review';
  readonly review: Review;
  readonly namespace?: string;
}

/** Undefined: nothing is served there. Throws ApiError 400 for a path with broken escapes. */
export function parseRoute(pathname: string): Route | undefined {
  const [head, ...rest] = segmentsOf(pathname);
  switch (head) {
    case 'version':
      return rest.length === 0 ? { type: 'version' } : undefined;
    case 'healthz':
    case 'livez':
    case 'readyz':
      return { type: 'health', check: head };
    case 'openapi':
      return openApi(rest);
    case 'api':
      return rest.length === 0 ? { type: 'discovery', path: 'api' } : resources('', rest[0]!, rest.slice(1));
    case 'apis':
      return apis(rest);
    default:
      return undefined;
  }
}

function segmentsOf(pathname: string): string[] {
  const path = pathname.endsWith('/') ? pathname.slice(0, -1) : pathname;
  try {
    return path.slice(1).split('/').map(decodeURIComponent);
  } catch {
    throw badRequest(`the path ${pathname} has broken percent-encoding`);
  }
}

function openApi([version, ...rest]: string[]): Route | undefined {
  if (version === 'v2' && rest.length === 0) return { type: 'openApi', version };
  if (version !== 'v3') return undefined;
  return { type: 'openApi', version, ...(rest.length === 0 ? {} : { document: rest.join('/') }) };
}

function apis([group, version, ...rest]: string[]): Route | undefined {
  if (group === undefined) return { type: 'discovery', path: 'apis' };
  if (version === undefined) return { type: 'group', group };
  return resources(group, version, rest);
}

/** What only answers. */
export interface Review {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

const review = (topic: string, kind: string, namespaced = false): Review => ({
  group: `${topic}.k8s.io`,
  version: 'v1',
  plural: `${kind.toLowerCase()}s`,
  kind,
  namespaced,
});

export const reviews: readonly Review[] = [
  review('authentication', 'SelfSubjectReview'),
  review('authentication', 'TokenReview'),
  review('authorization', 'LocalSubjectAccessReview', true),
  review('authorization', 'SelfSubjectAccessReview'),
  review('authorization', 'SelfSubjectRulesReview'),
  review('authorization', 'SubjectAccessReview'),
];

function resources(group: string, version: string, rest: string[]): Route | undefined {
  if (rest.some((part) => part === '')) return undefined;
  if (rest.length === 0) return { type: 'groupVersion', group, version };
  const [first, second, third, ...more] = rest;
  // namespaces/x/pods is a collection in a namespace, namespaces/x/status is a part of one.
  const inside = first === 'namespaces' && third !== undefined ? kindFor(group, version, third) : undefined;
  if (inside?.namespaced && second !== undefined) return ofKind(inside, second, more);
  const kind = kindFor(group, version, first!);
  if (kind) return kind.namespaced && second !== undefined ? undefined : ofKind(kind, undefined, rest.slice(1));
  return ofReview(group, version, rest);
}

function ofReview(group: string, version: string, rest: readonly string[]): Route | undefined {
  const namespace = rest[0] === 'namespaces' && rest.length === 3 ? rest[1] : undefined;
  const plural = namespace === undefined ? rest[0] : rest[2];
  if (namespace === undefined && rest.length > 1) return undefined;
  const found = reviews.find((one) => one.group === group && one.version === version && one.plural === plural);
  if (!found || found.namespaced !== (namespace !== undefined)) return undefined;
  return { type: 'review', review: found, ...(namespace === undefined ? {} : { namespace }) };
}

function ofKind(kind: Kind, namespace: string | undefined, rest: readonly string[]): Route | undefined {
  const [name, subresource, ...more] = rest;
  const where = namespace === undefined ? {} : { namespace };
  if (name === undefined) return { type: 'objects', kind, ...where };
  if (more.length > 0) return undefined;
  if (subresource === undefined) return { type: 'object', kind, name, ...where };
  return isServed(kind, subresource) ? { type: 'object', kind, name, subresource, ...where } : undefined;
}

/** `finalize` is no subresource of the table: nothing but namespaces has it. */
function isServed(kind: Kind, subresource: string): boolean {
  if (subresource === 'finalize') return kind.group === '' && kind.plural === 'namespaces';
  return kind.subresources.some((one) => one.name === subresource);
}

/** Groups and their one version, in the order of discovery. */
export function servedGroups(): { readonly group: string; readonly version: string }[] {
  const seen = new Map<string, string>();
  for (const { group, version } of [...allKinds, ...reviews]) seen.set(group, version);
  return [...seen].map(([group, version]) => ({ group, version }));
}

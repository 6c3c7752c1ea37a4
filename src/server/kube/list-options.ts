import type { Kind } from '../../resources/kind.ts';
import type { Selection } from '../cache/kind-cache.ts';
import { selectionOf } from '../cache/selection.ts';
import type { WatchCache } from '../cache/watch-cache.ts';
import { badRequest, invalidField } from '../registry/api-errors.ts';

/** The query of a list or watch, understood. */
export interface ListOptions {
  readonly selection: Selection;
  readonly hasSelectors: boolean;
  readonly isWatch: boolean;
  /** Store revision; 0: whatever is at hand; undefined: not given. */
  readonly revision: number | undefined;
  readonly match: 'Exact' | 'NotOlderThan' | undefined;
  readonly limit: number;
  readonly continue: string | undefined;
  readonly timeoutSeconds: number | undefined;
  readonly hasBookmarks: boolean;
  /** WatchList: undefined when not asked for. */
  readonly sendsInitialEvents: boolean | undefined;
}

/** Whether a request for a collection is a watch. Throws ApiError 400. */
export function isWatchQuery(query: URLSearchParams): boolean {
  return flag(query, 'watch') ?? false;
}

/** `namespace` comes from the path. Throws ApiError 400 and 422. */
export function parseListOptions(
  kind: Kind,
  query: URLSearchParams,
  cache: WatchCache,
  namespace: string | undefined,
): ListOptions {
  const [labelSelector, fieldSelector] = [query.get('labelSelector'), query.get('fieldSelector')];
  const isWatch = isWatchQuery(query);
  const options: ListOptions = {
    selection: selectionOf(kind, { namespace, labelSelector, fieldSelector }),
    hasSelectors: Boolean(labelSelector || fieldSelector),
    isWatch,
    revision: revisionOf(query, cache),
    match: matchOf(query),
    limit: count(query, 'limit') ?? 0,
    continue: query.get('continue') || undefined,
    timeoutSeconds: count(query, 'timeoutSeconds'),
    hasBookmarks: flag(query, 'allowWatchBookmarks') ?? false,
    sendsInitialEvents: flag(query, 'sendInitialEvents'),
  };
  checkTogether(options);
  return options;
}

const listOptionsKind = { group: 'meta.k8s.io', kind: 'ListOptions', plural: 'listoptions' } as Kind;

function forbid(field: string, why: string): Error {
  return invalidField(listOptionsKind, '', { field, reason: 'FieldValueForbidden', message: `Forbidden: ${why}` });
}

/** Kubernetes' rules about which options may stand together. */
function checkTogether(options: ListOptions): void {
  const { match, revision, sendsInitialEvents, isWatch } = options;
  if (sendsInitialEvents !== undefined && !isWatch) {
    throw forbid('sendInitialEvents', 'sendInitialEvents is forbidden for list');
  }
  if (sendsInitialEvents !== undefined && match !== 'NotOlderThan') {
    throw forbid('resourceVersionMatch', 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
  }
  if (options.continue !== undefined && revision !== undefined && revision !== 0) {
    throw badRequest('specifying resource version is not allowed when using continue');
  }
  if (isWatch) {
    if (match !== undefined && sendsInitialEvents === undefined) {
      throw forbid(
        'resourceVersionMatch',
        'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
      );
    }
    return;
  }
  if (match !== undefined && revision === undefined) {
    throw forbid('resourceVersionMatch', 'resourceVersionMatch is forbidden unless resourceVersion is provided');
  }
  if (match !== undefined && options.continue !== undefined) {
    throw forbid('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided');
  }
  if (match === 'Exact' && revision === 0) {
    throw forbid('resourceVersionMatch', 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
  }
}

function matchOf(query: URLSearchParams): ListOptions['match'] {
  const match = query.get('resourceVersionMatch') || undefined;
  if (match !== undefined && match !== 'Exact' && match !== 'NotOlderThan') {
    const message = `Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan", ""`;
    throw invalidField(listOptionsKind, '', {
      field: 'resourceVersionMatch',
      reason: 'FieldValueNotSupported',
      message,
    });
  }
  return match;
}

function revisionOf(query: URLSearchParams, cache: WatchCache): number | undefined {
  const text = query.get('resourceVersion');
  if (text === null || text === '') return undefined;
  if (text === '0') return 0;
  const revision = cache.versions.parse(text);
  if (revision === undefined) throw badRequest(`resourceVersion: Invalid value: ${JSON.stringify(text)}`);
  // From before this epoch: older than anything there is, but not "whatever is at hand".
  return revision === 0 ? -1 : revision;
}

function flag(query: URLSearchParams, name: string): boolean | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (['', 'true', '1', 'True', 'TRUE', 't', 'T'].includes(text)) return true;
  if (['false', '0', 'False', 'FALSE', 'f', 'F'].includes(text)) return false;
  throw badRequest(`invalid value ${JSON.stringify(text)} for the parameter ${name}: true or false expected`);
}

function count(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^[0-9]{1,9}$/.test(text)) {
    throw badRequest(`invalid value ${JSON.stringify(text)} for the parameter ${name}: a number expected`);
  }
  return Number(text);
}

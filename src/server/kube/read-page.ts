// Lists in pages. All pages show the state of the first one, from the cache's history or, when that is over, from the
// store's; when that is over, too, the client may go on with what there is now, and is told so.
import { ApiError } from '../../resources/api-error.ts';
import type { Kind } from '../../resources/kind.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import { readCachedPage } from '../cache/read-cached-page.ts';
import type { WatchCache } from '../cache/watch-cache.ts';
import { badRequest, expired } from '../registry/api-errors.ts';
import { kindPrefix } from '../registry/object-key.ts';
import type { Registry } from '../registry/registry.ts';
import type { ListOptions } from './list-options.ts';

export interface PageSource {
  readonly cache: WatchCache;
  readonly registry: Registry;
}

/** A page of a list, all pages at one revision. */
export interface Page {
  readonly revision: number;
  readonly items: readonly CachedObject[];
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

/** Where the next page begins. */
interface ContinueToken {
  /** `nowRevision`: the state in which the list began is forgotten. */
  readonly revision: number;
  readonly after: string;
}

const nowRevision = -1;

/** Waits until the cache is as new as the options ask for. Throws ApiError 410 for a past that is forgotten. */
export async function readPage(source: PageSource, grid: string, kind: Kind, options: ListOptions): Promise<Page> {
  const { cache, registry } = source;
  const { selection, limit } = options;
  const token = options.continue === undefined ? undefined : parseContinue(options.continue, kindPrefix(grid, kind));
  const exact = token?.revision === nowRevision ? undefined : (token?.revision ?? exactRevision(options));
  await catchUp(cache, exact ?? (token ? undefined : options.revision));
  const revision = exact ?? cache.revision;
  const page = await readCachedPage(cache, grid, kind, selection, { revision, after: token?.after, limit });
  if (page) {
    const { items, hasMore, keysLeft } = page;
    const count = options.hasSelectors ? {} : { remainingItemCount: keysLeft };
    return { revision, items, ...(hasMore ? { ...next(revision, items), ...count } : {}) };
  }
  const past = await registry.listPast({ grid }, kind, selection, { revision, after: token?.after, limit });
  if (past) return { revision, items: past.items, ...(past.more ? next(revision, past.items) : {}) };
  if (token) throw expiredToken(token.after);
  throw expired(cache.versions.format(revision), cache.versions.format(cache.revision));
}

/** A limit with a version begins a list at that very version, as clients from before `resourceVersionMatch` expect. */
function exactRevision({ match, revision, limit }: ListOptions): number | undefined {
  if (match === 'Exact') return revision;
  return match === undefined && limit > 0 && revision !== 0 ? revision : undefined;
}

/** `revision` undefined: as new as anything acknowledged; 0: as it is. */
export async function catchUp(cache: WatchCache, revision: number | undefined): Promise<void> {
  if (revision === undefined) await cache.fresh();
  else if (revision > 0) await cache.waitFor(revision);
}

function next(revision: number, items: readonly CachedObject[]): { continue: string } {
  return { continue: renderContinue({ revision, after: items.at(-1)?.key ?? '' }) };
}

function renderContinue({ revision, after }: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: 1, revision, after })).toString('base64url');
}

function parseContinue(text: string, prefix: string): ContinueToken {
  try {
    const token: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    const { v, revision, after } = token as {
      readonly v?: unknown;
      readonly revision?: unknown;
      readonly after?: unknown;
    };
    const isKey = typeof after === 'string' && after.startsWith(prefix) && /^[\x21-\x7e]{1,1024}$/.test(after);
    if (v === 1 && Number.isSafeInteger(revision) && isKey) return { revision: revision as number, after };
  } catch {
    // Said below.
  }
  throw badRequest('invalid continue token: continue key is not valid');
}

function expiredToken(after: string): ApiError {
  return new ApiError({
    code: 410,
    reason: 'Expired',
    message:
      'The provided continue parameter is too old to display a consistent list result. You can start a new list without ' +
      'the continue parameter, or use the continue token in this response to retrieve the remainder of the results. ' +
      'Continuing with the provided token results in an inconsistent list - objects that were created, modified, or ' +
      'deleted between the time the first chunk was returned and now may show up in the list.',
    continue: renderContinue({ revision: nowRevision, after }),
  });
}

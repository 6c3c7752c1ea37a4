import { ApiError } from '../../resources/api-error.ts';
import { apiVersionOf, type Kind } from '../../resources/kind.ts';
import { renderRow, renderTable, type TableOptions } from '../../resources/table.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import type { WatchCache } from '../cache/watch-cache.ts';
import { badRequest, expired } from '../registry/api-errors.ts';
import type { Exchange } from './exchange.ts';
import type { ListOptions } from './list-options.ts';
import { type Answer, negotiate } from './negotiate.ts';
import { sendItems } from './send-items.ts';

/** A page of a list, all pages at one revision. */
export interface Page {
  readonly revision: number;
  readonly items: readonly CachedObject[];
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

/** Waits until the cache is as new as the options ask for. Throws ApiError 410 for a past that is forgotten. */
export async function readPage(cache: WatchCache, grid: string, kind: Kind, options: ListOptions): Promise<Page> {
  const token = options.continue === undefined ? undefined : parseContinue(options.continue);
  const exact = token?.revision ?? (options.match === 'Exact' ? options.revision : undefined);
  await catchUp(cache, exact ?? options.revision);
  const revision = exact ?? cache.revision;
  const { limit, selection } = options;
  const page = cache.page(grid, kind, selection, revision, { after: token?.after, limit });
  if (!page)
    throw token ? expiredToken() : expired(cache.versions.format(revision), cache.versions.format(cache.revision));
  const { items } = page;
  if (!page.hasMore) return { revision, items };
  const count = options.hasSelectors ? {} : { remainingItemCount: page.keysLeft };
  return { revision, items, continue: renderContinue(revision, items.at(-1)!.key), ...count };
}

/** `revision` undefined: as new as anything acknowledged; 0: as it is. */
export async function catchUp(cache: WatchCache, revision: number | undefined): Promise<void> {
  if (revision === undefined) await cache.fresh();
  else if (revision > 0) await cache.waitFor(revision);
}

export async function sendList(exchange: Exchange, cache: WatchCache, kind: Kind, page: Page): Promise<void> {
  const answer = negotiate(`${exchange.request.headers.accept ?? ''}`);
  const metadata = {
    resourceVersion: cache.versions.format(page.revision),
    ...(page.continue === undefined ? {} : { continue: page.continue }),
    ...(page.remainingItemCount === undefined ? {} : { remainingItemCount: page.remainingItemCount }),
  };
  if (answer.form === 'Table') {
    const options = tableOptions(exchange);
    const whole = JSON.stringify(tableOf(kind, [], answer, { ...options, ...metadata }));
    const textOf = ({ object }: CachedObject) => JSON.stringify(renderRow(kind, object, options));
    return await sendItems(exchange, { head: whole.slice(0, -2), tail: ']}', items: page.items, textOf });
  }
  const isPartial = answer.form === 'PartialObjectMetadata';
  const type = isPartial ? 'PartialObjectMetadataList' : `${kind.kind}List`;
  const apiVersion = isPartial ? `meta.k8s.io/${answer.version}` : apiVersionOf(kind);
  await sendItems(exchange, {
    head: `{"kind":"${type}","apiVersion":"${apiVersion}","metadata":${JSON.stringify(metadata)},"items":[`,
    tail: ']}',
    items: page.items,
    textOf: (item) => (isPartial ? JSON.stringify(partialOf(item.object, answer)) : item.json),
  });
}

/** What a table is made with, from the query. */
export function tableOptions(exchange: Exchange): TableOptions {
  const include = exchange.query.get('includeObject') || 'Metadata';
  if (include !== 'None' && include !== 'Metadata' && include !== 'Object') {
    throw badRequest(`invalid value ${JSON.stringify(include)} for includeObject: None, Metadata or Object expected`);
  }
  return { nowMs: Date.now(), includeObject: include };
}

export function tableOf(
  kind: Kind,
  objects: readonly CachedObject['object'][],
  answer: Answer,
  options: TableOptions,
): object {
  return { ...renderTable(kind, objects, options), apiVersion: `meta.k8s.io/${answer.version}` };
}

export function partialOf(object: CachedObject['object'], answer: Answer): object {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${answer.version}`, metadata: object.metadata };
}

function renderContinue(revision: number, after: string): string {
  return Buffer.from(JSON.stringify({ v: 1, revision, after })).toString('base64url');
}

function parseContinue(text: string): { revision: number; after: string } {
  try {
    const token = JSON.parse(Buffer.from(text, 'base64url').toString()) as {
      v?: unknown;
      revision?: unknown;
      after?: unknown;
    };
    const { v, revision, after } = token;
    if (v === 1 && Number.isSafeInteger(revision) && typeof after === 'string')
      return { revision: revision as number, after };
  } catch {
    // Said below.
  }
  throw badRequest('continue key is not valid');
}

function expiredToken(): ApiError {
  return new ApiError({
    code: 410,
    reason: 'Expired',
    message:
      'The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.',
  });
}

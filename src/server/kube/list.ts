import { apiVersionOf, type Kind } from '../../resources/kind.ts';
import { renderRow, renderTable, type TableOptions } from '../../resources/table.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import type { WatchCache } from '../cache/watch-cache.ts';
import { badRequest } from '../registry/api-errors.ts';
import type { Exchange } from './exchange.ts';
import { type Answer, negotiate } from './negotiate.ts';
import type { Page } from './read-page.ts';
import { sendItems } from './send-items.ts';

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

import { ApiError } from '../../resources/api-error.ts';
import type { WatchCache } from '../cache/watch-cache.ts';
import { deleteOptionsOf, dryIf } from './delete-options.ts';
import { sendList } from './list.ts';
import { parseListOptions } from './list-options.ts';
import { readPage } from './read-page.ts';
import type { Write } from './write-request.ts';

/** So many deletions of a collection are under way at once. */
const deletionsAtOnce = 64;

/** Deletes what a list with the same options shows, and answers that list. `limit` bounds it, as it does a list. */
export async function deleteMany(write: Write, cache: WatchCache): Promise<void> {
  const { exchange, kind, registry } = write;
  const options = await deleteOptionsOf(exchange);
  const call = dryIf(write.call, options);
  const listOptions = parseListOptions(kind, exchange.query, cache, write.namespace);
  const page = await readPage({ cache, registry }, exchange.context.grid, kind, listOptions);
  const rest = [...page.items];
  const worker = async () => {
    for (let item = rest.pop(); item; item = rest.pop()) {
      const { name, namespace } = item.object.metadata;
      await registry.delete(call, kind, { name, namespace }, options).catch((error: unknown) => {
        // Somebody else was faster: it is gone, as it should be.
        if (!(error instanceof ApiError) || error.status.code !== 404) throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: deletionsAtOnce }, worker));
  await sendList(exchange, cache, kind, page);
}

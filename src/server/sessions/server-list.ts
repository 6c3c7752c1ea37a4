import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Store } from '../../store/port.ts';

/** Which servers share this store, and where agents reach them: `/meta/servers/<id>`, kept alive by each of them. */
export interface ServerList {
  /** URLs of the other servers, in order of their ids. */
  others(): readonly string[];
  stop(): Promise<void>;
}

export interface ServerListOptions {
  readonly store: Store;
  readonly serverId: string;
  readonly urls: readonly string[];
  /** `others` gives another answer than before. */
  readonly onChange?: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

const prefix = '/meta/servers/';
/**
 * A server that is down for long stays listed for so long: who only knows the one server left must find the others when they
 * are back and that one goes. Dialling a dead one costs next to nothing.
 */
const ttlSeconds = 86_400;
const renewMs = 3_600_000;
const renewRetryMs = 30_000;
const retryMs = 1_000;

/** Resolves when this server is listed and the others have been read. */
export async function startServerList(options: ServerListOptions): Promise<ServerList> {
  const { store, serverId, urls, clock, log } = options;
  const abort = new AbortController();
  const known = new Map<string, readonly string[]>();
  const ownKey = `${prefix}${serverId}`;
  const others = () =>
    [...known]
      .filter(([key]) => key !== ownKey)
      .sort(byKey)
      .flatMap(([, list]) => list);
  let told = '';
  const tell = () => {
    if (told === others().join()) return; // most changes only keep a server listed
    told = others().join();
    options.onChange?.();
  };

  const announce = async () => {
    const value = Buffer.from(JSON.stringify({ v: 1, urls }));
    await store.commit([], [{ type: 'put', key: ownKey, value, ttlSeconds }]);
  };
  const follow = async () => {
    const listing = await store.list(prefix);
    known.clear();
    for (const entry of listing.entries) known.set(entry.key, parseUrls(entry.value));
    tell();
    store.watch(prefix, {
      afterRevision: listing.revision,
      signal: abort.signal,
      onChanges: (changes) => {
        for (const change of changes) {
          if (change.type === 'put') known.set(change.entry.key, parseUrls(change.entry.value));
          else known.delete(change.key);
        }
        tell();
      },
      onEnd: (reason) => {
        if (!abort.signal.aborted) again(reason);
      },
    });
  };
  const again = (reason: unknown) => {
    log.warn('lost sight of the other servers, reading them again', { error: messageOf(reason) });
    clock.after(retryMs, () => {
      if (!abort.signal.aborted) follow().catch(again);
    });
  };
  await announce();
  await follow();
  const ended = (async () => {
    for (let waitMs = renewMs; !abort.signal.aborted; ) {
      await clock.sleep(waitMs, abort.signal).catch(() => {});
      if (abort.signal.aborted) break;
      waitMs = renewMs;
      await announce().catch((error) => {
        waitMs = renewRetryMs;
        log.warn('cannot stay on the list of servers, trying again', { error });
      });
    }
  })();

  return {
    others,
    stop: async () => {
      abort.abort(new Error('the server stops'));
      await ended;
    },
  };
}

function byKey([left]: readonly [string, unknown], [right]: readonly [string, unknown]): number {
  return left < right ? -1 : 1;
}

function parseUrls(value: Uint8Array): readonly string[] {
  const { urls } = JSON.parse(Buffer.from(value).toString('utf8')) as { urls?: unknown };
  return Array.isArray(urls) ? urls.filter((url) => typeof url === 'string') : [];
}

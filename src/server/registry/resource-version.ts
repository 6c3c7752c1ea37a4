import type { Store } from '../../store/port.ts';

/** Decimal text; absent: 0. What lets a cluster move between stores without its resource versions going back. */
export const epochKey = '/meta/epoch';

/** resourceVersion = epoch offset + store revision. Nobody else adds or subtracts. */
export class ResourceVersions {
  readonly #offset: number;

  constructor(offset: number) {
    this.#offset = offset;
  }

  format(revision: number): string {
    return String(this.#offset + revision);
  }

  /** The store revision; undefined when the text is no resource version. May be ≤ 0: from before this epoch. */
  parse(resourceVersion: string): number | undefined {
    if (!/^(0|[1-9][0-9]{0,15})$/.test(resourceVersion)) return undefined;
    return Number(resourceVersion) - this.#offset;
  }
}

export async function readResourceVersions(store: Store): Promise<ResourceVersions> {
  const entry = await store.get(epochKey);
  const offset = entry ? Number(Buffer.from(entry.value).toString()) : 0;
  if (!Number.isSafeInteger(offset) || offset < 0) throw new Error(`${epochKey} holds no number`);
  return new ResourceVersions(offset);
}

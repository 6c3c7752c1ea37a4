import type { Kind } from '../../resources/kind.ts';
import { type CachedObject, type CacheEvent, departedOf } from './cached-object.ts';
import { defaultHistoryBounds, EventRing, type HistoryBounds } from './event-ring.ts';
import { lowerBound, SortedKeys } from './sorted-keys.ts';

/** What a list or watch is about. `nodeName` narrows by index; `matches` decides alone and must agree with it. */
export interface Selection {
  /** Absent: all namespaces. */
  readonly namespace?: string | undefined;
  /** Absent: everything. */
  readonly matches?: ((item: CachedObject) => boolean) | undefined;
  /** Every match is a pod with this `spec.nodeName`. */
  readonly nodeName?: string | undefined;
}

export interface PageOptions {
  readonly after?: string | undefined;
  readonly limit?: number | undefined;
}

export interface CachedPage {
  readonly items: readonly CachedObject[];
  readonly hasMore: boolean;
  /** Keys behind the page: objects, while the selection has no selectors and the page is of the newest state. */
  readonly keysLeft: number;
}

/** All objects of one kind in one grid, and their newest history. Fed by the watch cache only. */
export class KindCache {
  readonly kind: Kind;
  readonly grid: string;
  /** Where the keys of this kind begin. */
  readonly prefix: string;
  readonly ring: EventRing;
  readonly #bounds: HistoryBounds;
  readonly #items = new Map<string, CachedObject>();
  readonly #order = new SortedKeys();
  readonly #nodes = new Map<string, { items: Map<string, CachedObject>; ring: EventRing }>();

  constructor(kind: Kind, grid: string, prefix: string, floor: number, bounds = defaultHistoryBounds) {
    this.kind = kind;
    this.grid = grid;
    this.prefix = prefix;
    this.#bounds = bounds;
    this.ring = new EventRing(floor, bounds);
  }

  get size(): number {
    return this.#items.size;
  }

  get(key: string): CachedObject | undefined {
    return this.#items.get(key);
  }

  values(): Iterable<CachedObject> {
    return this.#items.values();
  }

  onNode(nodeName: string): Iterable<CachedObject> {
    return this.#nodes.get(nodeName)?.items.values() ?? [];
  }

  /** Before any event. */
  load(item: CachedObject): void {
    if (!this.#items.has(item.key)) this.#order.add(item.key);
    this.#items.set(item.key, item);
    const nodeName = this.#nodeNameOf(item);
    if (nodeName !== undefined) this.#node(nodeName).items.set(item.key, item);
  }

  apply(event: CacheEvent): void {
    const { item, previous } = event;
    const key = (item ?? previous)!.key;
    if (item && !this.#items.has(key)) this.#order.add(key);
    if (item) this.#items.set(key, item);
    else if (this.#items.delete(key)) this.#order.delete(key);
    this.#indexByNode(key, event);
    const { floor } = this.ring;
    this.ring.append(event);
    if (this.ring.floor > floor) this.#trimNodes();
  }

  /** Forgets old history also when nothing happens any more. */
  trim(nowMs: number): void {
    const { floor } = this.ring;
    this.ring.trim(nowMs);
    if (this.ring.floor > floor) this.#trimNodes();
  }

  /** The ring that has every event a watch of this selection needs. */
  ringFor(selection: Selection): EventRing {
    if (selection.nodeName === undefined || this.kind.plural !== 'pods') return this.ring;
    return this.#node(selection.nodeName).ring;
  }

  /** A watch of this selection ended. */
  release(selection: Selection): void {
    if (selection.nodeName !== undefined) this.#forgetNode(selection.nodeName);
  }

  /** What matched at `revision` (≤ the newest), in key order; undefined when the history does not reach back so far. */
  at(revision: number, selection: Selection): readonly CachedObject[] | undefined {
    return this.page(revision, selection)?.items;
  }

  /** A part of it: at most `limit` objects (0: all) behind the key `after`. */
  page(revision: number, selection: Selection, { after, limit = 0 }: PageOptions = {}): CachedPage | undefined {
    if (revision < this.ring.floor) return undefined;
    const past = this.#undone(revision);
    const keys = this.#narrow(this.#orderAt(past), selection, past.size === 0);
    const items: CachedObject[] = [];
    const start = after === undefined ? 0 : lowerBound(keys, `${after}\0`);
    for (let at = start; at < keys.length; at += 1) {
      const key = keys[at]!;
      const item = past.has(key) ? past.get(key) : this.#items.get(key);
      // The keys are those of the namespace already.
      if (!item || selection.matches?.(item) === false) continue;
      if (limit > 0 && items.length === limit) return { items, hasMore: true, keysLeft: keys.length - at };
      items.push(item);
    }
    return { items, hasMore: false, keysLeft: 0 };
  }

  raiseFloor(revision: number): void {
    this.ring.raiseFloor(revision);
    for (const node of this.#nodes.values()) node.ring.raiseFloor(revision);
  }

  /** State before the events after `revision`, only of the keys they touched. */
  #undone(revision: number): Map<string, CachedObject | undefined> {
    const past = new Map<string, CachedObject | undefined>();
    for (const event of this.ring.backTo(revision)) past.set((event.item ?? event.previous)!.key, event.previous);
    return past;
  }

  #orderAt(past: ReadonlyMap<string, CachedObject | undefined>): readonly string[] {
    const gone = [...past].filter(([key, item]) => item && !this.#items.has(key)).map(([key]) => key);
    return gone.length === 0 ? this.#order.all : [...this.#order.all, ...gone].sort();
  }

  #narrow(keys: readonly string[], selection: Selection, isNow: boolean): readonly string[] {
    if (isNow && selection.nodeName !== undefined && this.kind.plural === 'pods') {
      return [...(this.#nodes.get(selection.nodeName)?.items.keys() ?? [])].sort();
    }
    if (!selection.namespace) return keys;
    const prefix = `${this.prefix}${selection.namespace}/`;
    return keys.slice(lowerBound(keys, prefix), lowerBound(keys, `${prefix}\x7f`));
  }

  #nodeNameOf(item: CachedObject | undefined): string | undefined {
    if (!item || this.kind.plural !== 'pods') return undefined;
    const spec = (item.object as { spec?: { nodeName?: string } }).spec;
    return spec?.nodeName || undefined;
  }

  #indexByNode(key: string, event: CacheEvent): void {
    const before = this.#nodeNameOf(event.previous);
    const after = this.#nodeNameOf(event.item);
    if (before !== undefined && before !== after) {
      const node = this.#node(before);
      node.items.delete(key);
      node.ring.append(event);
    }
    if (after !== undefined && event.item) {
      const node = this.#node(after);
      node.items.set(key, event.item);
      node.ring.append(event);
    }
    if (before !== undefined && after === undefined) this.#forgetNode(before);
  }

  #node(name: string): { items: Map<string, CachedObject>; ring: EventRing } {
    let node = this.#nodes.get(name);
    if (!node) {
      // It is a part of the whole ring, and forgets with it.
      const bounds = { ...this.#bounds, minEvents: this.#bounds.maxEvents };
      node = { items: new Map(), ring: new EventRing(this.ring.floor, bounds) };
      // What happened on this node before anybody asked for it alone.
      for (const event of [...this.ring.backTo(this.ring.floor)].reverse()) {
        if (this.#nodeNameOf(event.previous) === name || this.#nodeNameOf(event.item) === name) node.ring.append(event);
      }
      this.#nodes.set(name, node);
    }
    return node;
  }

  #trimNodes(): void {
    for (const [name, node] of this.#nodes) {
      node.ring.dropThrough(this.ring.floor);
      this.#forgetNode(name);
    }
  }

  /** Nodes come and go; an index of one that nobody watches and nothing runs on is rebuilt when needed. */
  #forgetNode(name: string): void {
    const node = this.#nodes.get(name);
    if (node && node.items.size === 0 && !node.ring.hasWatchers) this.#nodes.delete(name);
  }
}

/** What an event means for who watches a selection: entering it is ADDED, leaving it DELETED. */
export function seenAs(
  event: CacheEvent,
  selection: Selection,
): { type: 'ADDED' | 'MODIFIED' | 'DELETED'; item: CachedObject } | undefined {
  const was = event.previous !== undefined && matches(selection, event.previous);
  if (event.item && matches(selection, event.item)) return { type: was ? 'MODIFIED' : 'ADDED', item: event.item };
  if (!was) return undefined;
  return { type: 'DELETED', item: departedOf(event)! };
}

export function matches(selection: Selection, item: CachedObject): boolean {
  if (selection.namespace && item.namespace !== selection.namespace) return false;
  return selection.matches?.(item) ?? true;
}

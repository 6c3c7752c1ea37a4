import type { ApiObject } from '../../resources/object.ts';

/** One object as it was at one revision. Shared by everybody who reads: nobody changes it. */
export class CachedObject {
  readonly key: string;
  readonly object: ApiObject;
  /** Of the store. */
  readonly revision: number;
  #json: string | undefined;

  constructor(key: string, object: ApiObject, revision: number) {
    this.key = key;
    this.object = object;
    this.revision = revision;
  }

  get namespace(): string {
    return this.object.metadata.namespace ?? '';
  }

  get name(): string {
    return this.object.metadata.name;
  }

  /** Made on first use, then kept: lists and watches of all clients send the same text. */
  get json(): string {
    this.#json ??= JSON.stringify(this.object);
    return this.#json;
  }

  forgetText(): void {
    this.#json = undefined;
  }

  /** The same state under the version of a later event: how a deletion, or leaving a selection, is told. */
  at(revision: number, resourceVersion: string): CachedObject {
    const metadata = { ...this.object.metadata, resourceVersion };
    return new CachedObject(this.key, { ...this.object, metadata }, revision);
  }
}

/** One change of one object. */
export interface CacheEvent {
  readonly revision: number;
  readonly resourceVersion: string;
  /** After the change; undefined: the object is gone. */
  readonly item: CachedObject | undefined;
  readonly previous: CachedObject | undefined;
  /** Monotonic, when this process heard of it. */
  readonly receivedMs: number;
  /** What watchers share: the state a deletion tells, and the lines on the wire. */
  readonly shared: { departed?: CachedObject; lines: Partial<Record<WatchType, Buffer>> };
}

export type WatchType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** Last state with the version of the event, for DELETED. */
export function departedOf(event: CacheEvent): CachedObject | undefined {
  if (!event.shared.departed && event.previous) {
    event.shared.departed = event.previous.at(event.revision, event.resourceVersion);
  }
  return event.shared.departed;
}

/** `{"type":…,"object":…}\n`, serialised once for all watchers. */
export function lineOf(event: CacheEvent, type: WatchType, item: CachedObject): Buffer {
  let line = event.shared.lines[type];
  if (!line) {
    line = Buffer.from(watchLine(type, item.json));
    event.shared.lines[type] = line;
  }
  return line;
}

/** What can be made again, but for the text of an object that may be the newest of its kind: lists send it, too. */
export function forgetTexts(event: CacheEvent): void {
  event.shared.lines = {};
  delete event.shared.departed;
  event.previous?.forgetText();
}

export function watchLine(type: string, json: string): string {
  return `{"type":"${type}","object":${json}}\n`;
}

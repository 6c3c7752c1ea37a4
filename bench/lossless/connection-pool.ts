import type { WireConnection, WireFailure } from './outcome.ts';

type Opened = Promise<WireConnection | WireFailure>;

/** How many requests a connection is used for before the client closes it, so that new ones come all the time. */
const usesOfOne = 300;

/** HTTP/1.1 connections to one target that rest between requests; each carries one at a time. */
export class KeepAlivePool {
  readonly #open: () => Opened;
  readonly #resting: { readonly connection: WireConnection; readonly sinceMs: number; readonly uses: number }[] = [];
  readonly #size: { readonly min: number; readonly max: number };

  constructor(open: () => Opened, size: { readonly min: number; readonly max: number }) {
    this.#open = open;
    this.#size = size;
  }

  /** The one that has rested longest, so that all are used; a new one where fewer than `min` rest. */
  async take(): Promise<{ readonly connection: WireConnection | WireFailure; restedMs: number; uses: number }> {
    while (this.#resting.length > this.#size.min) {
      const one = this.#resting.shift();
      if (one?.connection.isUsable())
        return { connection: one.connection, restedMs: performance.now() - one.sinceMs, uses: one.uses };
    }
    return { connection: await this.#open(), restedMs: 0, uses: 0 };
  }

  giveBack(connection: WireConnection, uses: number): void {
    if (!connection.isUsable()) return;
    if (uses >= usesOfOne || this.#resting.length >= this.#size.max) connection.close();
    else this.#resting.push({ connection, sinceMs: performance.now(), uses });
  }

  close(): void {
    for (const { connection } of this.#resting.splice(0)) connection.close();
  }
}

/** HTTP/2 connections to one target, used in turn, each by many requests at once. */
export class StreamPool {
  readonly #open: () => Opened;
  readonly #slots: ({ readonly opened: Opened; uses: number } | undefined)[];
  #turn = 0;

  constructor(open: () => Opened, size: number) {
    this.#open = open;
    this.#slots = Array.from({ length: size }, () => undefined);
  }

  /** One that takes requests; opened anew where the other side has said that it takes no more. */
  async take(): Promise<WireConnection | WireFailure> {
    const index = this.#turn++ % this.#slots.length;
    // One that closes between its opening and its first use was never asked for anything.
    for (let tries = 0; tries < 3; tries++) {
      let slot = this.#slots[index];
      if (slot === undefined || slot.uses >= usesOfOne) {
        if (slot) void slot.opened.then((former) => 'send' in former && former.close());
        slot = { opened: this.#open(), uses: 0 };
        this.#slots[index] = slot;
      }
      slot.uses++;
      const connection = await slot.opened;
      if ('send' in connection && connection.isUsable()) return connection;
      if (this.#slots[index] === slot) this.#slots[index] = undefined;
      if (!('send' in connection)) return connection;
    }
    return { stage: 'connect', error: 'three connections in a row took no request' };
  }

  close(): void {
    for (const slot of this.#slots.splice(0)) {
      if (slot) void slot.opened.then((connection) => 'send' in connection && connection.close());
    }
  }
}

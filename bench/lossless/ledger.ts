/** What one client says of its requests, ids `<client>-<0 … sent − 1>`. */
export interface ClientAccount {
  readonly client: number;
  readonly sent: number;
  /** Numbers of those that did not get their 200. */
  readonly notAnswered: readonly number[];
  /** Of them, those that HTTP/2 said were not processed. */
  readonly refused: readonly number[];
}

export interface LedgerVerdict {
  /** Lines in all. */
  readonly logged: number;
  /** 200 was seen by the client, and nobody has done it. */
  readonly answeredNotLogged: readonly string[];
  /** Done more than once, answered or not, with who did it. */
  readonly loggedTwice: readonly { readonly id: string; readonly instances: readonly string[] }[];
  /** Failed for the client, and done all the same: what asking again would have done twice. */
  readonly failedButLogged: readonly string[];
  /** Done, though the client was told that it was not: what many a library would do twice by itself. */
  readonly refusedButLogged: readonly string[];
  /** Done, and never sent by these clients, or no id at all. */
  readonly unknown: readonly string[];
}

/** The application's log: which id was done by which instance. Takes millions of lines in a few bytes each. */
export class Ledger {
  readonly #instances: string[] = [];
  readonly #numbers = new Map<string, number>();
  /** By client, then by number: who did it first, plus one; 0: nobody. */
  readonly #firsts = new Map<number, Uint16Array>();
  readonly #again = new Map<string, string[]>();
  readonly #strange: string[] = [];
  #logged = 0;

  get logged(): number {
    return this.#logged;
  }

  get instances(): readonly string[] {
    return this.#instances;
  }

  record(id: string, instance: string): void {
    this.#logged++;
    const match = /^(\d{1,3})-(\d{1,9})$/.exec(id);
    if (!match) {
      this.#strange.push(id);
      return;
    }
    const [client, number] = [Number(match[1]), Number(match[2])];
    const firsts = this.#roomFor(client, number);
    const first = firsts[number] ?? 0;
    if (first === 0) firsts[number] = this.#numberOf(instance) + 1;
    else this.#again.set(id, [...(this.#again.get(id) ?? [this.#instances[first - 1] ?? '']), instance]);
  }

  /** Of these clients; others may have logged here before. */
  check(accounts: readonly ClientAccount[], maxNamed = 100_000): LedgerVerdict {
    const answeredNotLogged: string[] = [];
    const failedButLogged: string[] = [];
    const refusedButLogged: string[] = [];
    const unknown = [...this.#strange];
    for (const { client, sent, notAnswered, refused } of accounts) {
      const firsts = this.#roomFor(client, sent);
      const failed = new Set(notAnswered);
      const told = new Set(refused);
      for (let number = 0; number < firsts.length; number++) {
        const isLogged = firsts[number] !== 0;
        const id = `${client}-${number}`;
        if (number >= sent) {
          if (isLogged) unknown.push(id);
        } else if (failed.has(number)) {
          if (isLogged) (told.has(number) ? refusedButLogged : failedButLogged).push(id);
        } else if (!isLogged) answeredNotLogged.push(id);
      }
    }
    return {
      logged: this.#logged,
      answeredNotLogged: answeredNotLogged.slice(0, maxNamed),
      loggedTwice: [...this.#again].slice(0, maxNamed).map(([id, instances]) => ({ id, instances })),
      failedButLogged: failedButLogged.slice(0, maxNamed),
      refusedButLogged: refusedButLogged.slice(0, maxNamed),
      unknown: unknown.slice(0, maxNamed),
    };
  }

  #roomFor(client: number, number: number): Uint16Array {
    const former = this.#firsts.get(client) ?? new Uint16Array(1_024);
    if (number < former.length) {
      this.#firsts.set(client, former);
      return former;
    }
    const grown = new Uint16Array(Math.max(number + 1, former.length * 2));
    grown.set(former);
    this.#firsts.set(client, grown);
    return grown;
  }

  #numberOf(instance: string): number {
    const known = this.#numbers.get(instance);
    if (known !== undefined) return known;
    this.#instances.push(instance);
    this.#numbers.set(instance, this.#instances.length - 1);
    return this.#instances.length - 1;
  }
}

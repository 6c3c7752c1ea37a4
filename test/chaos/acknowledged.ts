// What the API has acknowledged, and so must never be lost; what it left open (no answer, 5xx) may be either way.

/** One value that is written again and again. */
interface Register {
  /** The newest acknowledged value; undefined: known not to be there. */
  acknowledged: string | undefined;
  /** Written after it, outcome unknown; a value as often as it was sent. */
  open: (string | undefined)[];
}

export class Acknowledged {
  readonly #registers = new Map<string, Register>();
  writes = 0;
  unknown = 0;

  /** Before a write is sent: from now on its value may be seen. */
  sending(key: string, value: string | undefined): void {
    this.#of(key).open.push(value);
  }

  acknowledged(key: string, value: string | undefined): void {
    this.writes++;
    const register = this.#of(key);
    register.acknowledged = value;
    register.open = []; // one writer: everything before it is overwritten
  }

  /** The server said that it did not do it. */
  refused(key: string, value: string | undefined): void {
    const { open } = this.#of(key);
    const index = open.lastIndexOf(value);
    if (index >= 0) open.splice(index, 1);
  }

  leftOpen(): void {
    this.unknown++;
  }

  keys(): readonly string[] {
    return [...this.#registers.keys()];
  }

  /** A sentence when what is there now cannot be. */
  complaint(key: string, seen: string | undefined): string | undefined {
    const register = this.#of(key);
    if (seen === register.acknowledged || register.open.includes(seen)) return undefined;
    const open = register.open.length === 0 ? '' : `, or one of ${register.open.map(String).join(', ')}`;
    return `${key} is ${String(seen)}, acknowledged was ${String(register.acknowledged)}${open}`;
  }

  #of(key: string): Register {
    let register = this.#registers.get(key);
    if (!register) {
      register = { acknowledged: undefined, open: [] };
      this.#registers.set(key, register);
    }
    return register;
  }
}

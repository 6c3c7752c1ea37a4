import { tableName } from './layout.ts';

/** More on one line would drown nft's own words, which repeat the line, in the message of an error. */
const elementsPerLine = 20;

/**
 * The parts of one change. What a packet may be led to must be there before (`preparation`): rules that one transaction adds
 * and maps that it changes do not become visible at the same moment. In the rest, an element can be replaced only by deleting
 * it first, and a chain goes only when nothing refers to it any more.
 */
export class Transaction {
  readonly #deleted = new Map<string, string[]>();
  readonly #lines: string[] = [];
  readonly #dropped: string[] = [];
  readonly #added = new Map<string, string[]>();

  /** `id`: name of the set or map, a space, the key. */
  deleteElement(id: string): void {
    collect(this.#deleted, id, '');
  }

  /** `value` is empty in a set. */
  addElement(id: string, value: string): void {
    collect(this.#added, id, value && ` : ${value}`);
  }

  addSet(name: string, body: string): void {
    this.#lines.push(`add set ip ${tableName} ${name} { ${body} }`);
  }

  addChain(name: string, rules: readonly string[]): void {
    this.#lines.push(`add chain ip ${tableName} ${name}`);
    this.#addRules(name, rules);
  }

  dropChain(name: string): void {
    this.#dropped.push(`flush chain ip ${tableName} ${name}`, `delete chain ip ${tableName} ${name}`);
  }

  /** After the chains that use it. */
  dropSet(name: string): void {
    this.#dropped.push(`delete set ip ${tableName} ${name}`);
  }

  /** Input of `nft -f -`: new chains and sets, which nothing refers to yet. */
  renderPreparation(): string {
    return this.#lines.map((line) => `${line}\n`).join('');
  }

  /** Input of `nft -f -`; empty when nothing changes. */
  renderChange(): string {
    const lines = [...renderElements('delete', this.#deleted), ...this.#dropped, ...renderElements('add', this.#added)];
    return lines.map((line) => `${line}\n`).join('');
  }

  #addRules(chain: string, rules: readonly string[]): void {
    for (const rule of rules) this.#lines.push(`add rule ip ${tableName} ${chain} ${rule}`);
  }
}

function collect(into: Map<string, string[]>, id: string, suffix: string): void {
  const end = id.indexOf(' ');
  const set = id.slice(0, end);
  const element = id.slice(end + 1) + suffix;
  const list = into.get(set);
  if (list) list.push(element);
  else into.set(set, [element]);
}

function* renderElements(verb: 'add' | 'delete', elements: ReadonlyMap<string, readonly string[]>): Iterable<string> {
  for (const [set, list] of elements) {
    for (let start = 0; start < list.length; start += elementsPerLine) {
      const part = list.slice(start, start + elementsPerLine);
      yield `${verb} element ip ${tableName} ${set} { ${part.join(', ')} }`;
    }
  }
}

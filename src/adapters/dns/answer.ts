import { isIP } from 'node:net';
import type { DnsRecords, DnsZone } from './port.ts';
import type { Question } from './question.ts';
import { addressRecord, ptrRecord, recordTypes, renderResponse, soaRecord, srvRecord } from './response.ts';

/** Records of one name, ready to be sent. */
interface Rendered {
  readonly byType: ReadonlyMap<number, readonly Buffer[]>;
  /** Which address comes first next time. A turn a name: clients ask for A and AAAA by turns, a common one would limp. */
  turn: number;
}

/**
 * Answers from one zone. Made anew with each change, so it does nothing until asked: a name is rendered when it is asked for
 * first, and the parents and the reverse names are collected when first needed.
 */
export class ZoneAnswers {
  readonly #zone: DnsZone;
  readonly #suffix: string;
  readonly #soa: Buffer;
  readonly #rendered = new Map<string, Rendered>();
  #parents: ReadonlySet<string> | undefined;
  #owners: ReadonlyMap<string, string> | undefined;

  constructor(zone: DnsZone) {
    this.#zone = zone;
    this.#suffix = `.${zone.domain}`;
    this.#soa = soaRecord(zone.domain);
  }

  /**
   * Undefined: not ours, ask the host's resolvers. Single labels are never sent on: a search list makes them, and a resolver
   * that answers REFUSED to one ends musl's search. A known name without the asked-for type is empty, not absent: NXDOMAIN to
   * AAAA would hide its A from musl.
   */
  answer(question: Question, isUdp: boolean): Buffer | undefined {
    const { name, type } = question;
    if (!isOurs(this.#zone.domain, name)) {
      const owner = type === recordTypes.PTR ? this.#ownerOf(name) : undefined;
      return owner === undefined
        ? undefined
        : renderResponse(question, { code: 0, isUdp, answers: [ptrRecord(owner)] });
    }
    const below = name.endsWith(this.#suffix) ? name.slice(0, -this.#suffix.length) : undefined;
    const records = below === undefined ? undefined : this.#zone.names.get(below);
    if (!records) {
      const exists = name === this.#zone.domain || (below !== undefined && this.#isParent(below));
      return renderResponse(question, { code: exists ? 0 : 3, isUdp, authority: this.#soa });
    }
    const rendered = this.#render(name, records);
    const answers = rendered.byType.get(type);
    if (!answers) return renderResponse(question, { code: 0, isUdp, authority: this.#soa });
    return renderResponse(question, { code: 0, isUdp, answers, first: rendered.turn++ % answers.length });
  }

  #render(name: string, records: DnsRecords): Rendered {
    const known = this.#rendered.get(name);
    if (known) return known;
    const byType = new Map<number, Buffer[]>();
    const add = (type: number, record: Buffer) => {
      for (const one of [type, recordTypes.ANY]) {
        const of = byType.get(one);
        if (of) of.push(record);
        else byType.set(one, [record]);
      }
    };
    for (const address of records.addresses) {
      if (isIP(address) === 0) continue; // one bad address must not take the name away
      const { type, record } = addressRecord(address);
      add(type, record);
    }
    for (const { port, target } of records.services ?? []) add(recordTypes.SRV, srvRecord(port, target));
    const rendered = { byType, turn: Math.floor(Math.random() * 1000) };
    this.#rendered.set(name, rendered);
    return rendered;
  }

  /** `shop.svc` exists when `web.shop.svc` does: an empty answer, not "no such name" (RFC 8020). */
  #isParent(below: string): boolean {
    if (!this.#parents) {
      const parents = new Set(['svc']);
      for (const name of this.#zone.names.keys()) {
        for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) parents.add(name.slice(dot + 1));
      }
      this.#parents = parents;
    }
    return this.#parents.has(below);
  }

  /** The name of a pod's address, `2.0.80.10.in-addr.arpa`: of the first service it belongs to. IPv4 only. */
  #ownerOf(name: string): string | undefined {
    const reverse = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/.exec(name);
    if (!reverse) return undefined;
    if (!this.#owners) {
      const owners = new Map<string, string>();
      for (const [owner, { addresses }] of this.#zone.names) {
        for (const address of addresses) if (!owners.has(address)) owners.set(address, owner + this.#suffix);
      }
      this.#owners = owners;
    }
    return this.#owners.get(reverse.slice(1).reverse().join('.'));
  }
}

/** Names of the domain and single labels. */
export function isOurs(domain: string, name: string): boolean {
  return name === domain || name.endsWith(`.${domain}`) || (name !== '' && !name.includes('.'));
}

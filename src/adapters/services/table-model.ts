import assert from 'node:assert/strict';

/**
 * For tests: what the kernel makes of scripts, as strict as it is about deleting what is not there, adding what is, and
 * chains that are missing or still referred to.
 */
export class TableModel {
  readonly sets = new Map<string, Map<string, string>>();
  readonly chains = new Map<string, string[]>();

  run(script: string): void {
    const frame = /^table ip flotilla_services \{\n([\s\S]*?)^\}\n/m.exec(script);
    if (frame?.[1] !== undefined) {
      this.sets.clear();
      this.chains.clear();
      this.#readFrame(frame[1]);
    }
    const changes = frame ? script.slice(frame.index + frame[0].length) : script;
    for (const line of changes.split('\n')) if (line) this.#runLine(line);
    this.#checkReferences();
  }

  /** Endpoints that a packet may be sent to, by the verdict map as it is here and the endpoints as they are in `data`. */
  takers(map: string, key: string, data: TableModel = this): string[] | string {
    const verdict = this.sets.get(map)?.get(key);
    if (verdict === undefined) return [];
    const chain = verdict.replace('goto ', '');
    const [rule = ''] = data.chains.get(chain) ?? [];
    const pick = /numgen random mod (\d+)(?: offset (\d+))? map @(\S+)/.exec(rule);
    if (!pick) return verdict === 'drop' ? 'drop' : (data.chains.get(chain) ?? []).flatMap((one) => data.#sticky(one));
    const [, count, offset = '0', endpoints = ''] = pick;
    const dataKey = key.replace(/\b(tcp|udp) \. /, '');
    return Array.from({ length: Number(count) }, (_, index) => {
      const found = data.sets.get(endpoints)?.get(`${dataKey} . ${Number(offset) + index}`);
      assert.ok(found, `${map} ${key}: number ${index} of ${count} is nowhere`);
      return found;
    }).sort();
  }

  copy(): TableModel {
    const copy = new TableModel();
    for (const [name, elements] of this.sets) copy.sets.set(name, new Map(elements));
    for (const [name, rules] of this.chains) copy.chains.set(name, [...rules]);
    return copy;
  }

  /** The endpoint behind `ip saddr @s1e1 goto s1e1`. */
  #sticky(rule: string): string[] {
    const chain = /^ip saddr @(\S+) goto \1$/.exec(rule)?.[1];
    if (chain === undefined) return [];
    return [/dnat ip to (\S+)/.exec(this.chains.get(chain)?.[1] ?? '')?.[1]?.replace(':', ' . ') ?? 'nowhere'];
  }

  #readFrame(text: string): void {
    for (const [, name = ''] of text.matchAll(/^ {2}(?:map|set) (\S+)/gm)) this.sets.set(name, new Map());
    for (const [, name = '', body = ''] of text.matchAll(/^ {2}chain (\S+) \{\n([\s\S]*?)^ {2}\}/gm)) {
      this.chains.set(
        name,
        body
          .trim()
          .split('\n')
          .filter((line) => !/^ *type /.test(line)),
      );
    }
  }

  #runLine(line: string): void {
    const [, verb, what, name = '', rest = ''] = /^(\w+) (\w+) ip flotilla_services (\S+) ?(.*)$/.exec(line) ?? [];
    const command = `${verb} ${what}`;
    if (what === 'element') this.#changeElements(verb, name, rest);
    else if (command === 'add set') {
      assert.ok(!this.sets.has(name), line);
      this.sets.set(name, new Map());
    } else if (command === 'add chain') {
      assert.ok(!this.chains.has(name), line);
      this.chains.set(name, []);
    } else if (command === 'add rule') this.#chain(name).push(rest);
    else if (command === 'flush chain') this.#chain(name).length = 0;
    else if (command === 'delete chain') assert.ok(this.#chain(name).length === 0 && this.chains.delete(name), line);
    else if (command === 'delete set') assert.ok(this.sets.delete(name), line);
    else assert.fail(`no such command: ${line}`);
  }

  #changeElements(verb: string | undefined, name: string, rest: string): void {
    const set = this.sets.get(name);
    assert.ok(set, `no set ${name}`);
    for (const element of rest.replace(/^\{ | \}$/g, '').split(', ')) {
      const [key = '', value = ''] = element.split(' : ');
      if (verb === 'delete') assert.ok(set.delete(key), `${name} has no ${key}`);
      else assert.ok(!set.has(key), `${name} has ${key}`);
      if (verb === 'add') set.set(key, value);
    }
  }

  #chain(name: string): string[] {
    const chain = this.chains.get(name);
    assert.ok(chain, `no chain ${name}`);
    return chain;
  }

  #checkReferences(): void {
    const texts = [...this.chains.values()].flat().concat(...[...this.sets.values()].map((set) => [...set.values()]));
    for (const text of texts) {
      for (const [, name = ''] of text.matchAll(/(?:goto|jump) (\w+)/g)) this.#chain(name);
      for (const [, name = ''] of text.matchAll(/@(\w+)/g)) assert.ok(this.sets.has(name), `no set ${name}`);
    }
  }
}

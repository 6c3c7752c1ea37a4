import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { policyContract } from './contract.ts';
import { createFakePolicyEnforcer } from './fake.ts';
import { planPolicyTable } from './plan.ts';
import type { PolicyRules, PolicyState } from './port.ts';
import { emptyRuleset, rulesetOf } from './ruleset.ts';

policyContract('fake enforcer', async () => {
  const enforcer = createFakePolicyEnforcer();
  return { enforcer, connect: async (attempt) => enforcer.allows(attempt) };
});

/** A kernel in a few lines: enough of nft's language to follow what a plan does, and to refuse what nft refuses. */
class Table {
  sets = new Map<string, Set<string>>();
  chains = new Map<string, string[]>();
  elements = 0;

  run(text: string): void {
    for (const line of text.split('\n')) this.#command(line);
  }

  #command(line: string): void {
    const element = /^(add|delete) element ip flotilla_policy (\S+) \{ (.*) \}$/.exec(line);
    const chain = /^(add|flush|delete) chain ip flotilla_policy (\S+)$/.exec(line);
    const rule = /^add rule ip flotilla_policy (\S+) (.*)$/.exec(line);
    const set = /^(add|delete) set ip flotilla_policy (\S+)/.exec(line);
    if (element) this.#element(element[1] ?? '', this.#set(element[2] ?? ''), element[3]?.split(', ') ?? []);
    else if (rule) this.#rule(rule[1] ?? '', rule[2] ?? '');
    else if (chain) this.#chain(chain[1] ?? '', chain[2] ?? '');
    else if (set?.[1] === 'add') this.sets.set(set[2] ?? '', new Set());
    else if (set) this.#drop(set[2] ?? '');
    else if (/^delete table/.test(line)) [this.sets, this.chains] = [new Map(), new Map()];
    else for (const [, name] of line.matchAll(/^ {2}(?:set|map) (\S+)/g)) this.sets.set(name ?? '', new Set());
  }

  #set(name: string): Set<string> {
    const found = this.sets.get(name);
    assert.ok(found, `no set ${name}`);
    return found;
  }

  #element(verb: string, set: Set<string>, members: readonly string[]): void {
    for (const member of members) {
      this.elements += 1;
      const key = [...set].find((one) => one.split(' : ')[0] === member.split(' : ')[0]);
      const chain = / : goto (\S+)/.exec(member)?.[1];
      if (chain) assert.ok(this.chains.has(chain), `goto ${chain}`);
      if (verb === 'add') {
        assert.equal(key, undefined, `${member} is there`);
        set.add(member);
      } else {
        assert.ok(key, `${member} is not there`);
        set.delete(key);
      }
    }
  }

  #rule(chain: string, rule: string): void {
    const jump = /^jump (\S+)$/.exec(rule)?.[1];
    if (jump) assert.ok(this.chains.has(jump), `jump ${jump}`);
    for (const [, name] of rule.matchAll(/@(\S+)/g)) assert.ok(this.sets.has(name ?? ''), `@${name}`);
    this.chains.get(chain)?.push(rule);
  }

  #chain(verb: string, name: string): void {
    if (verb === 'add') this.chains.set(name, []);
    else if (verb === 'flush') this.chains.set(name, []);
    else {
      assert.ok(!this.#uses().some((text) => text.endsWith(` ${name}`)), `${name} is used`);
      this.chains.delete(name);
    }
  }

  #drop(name: string): void {
    assert.ok(!this.#uses().some((text) => text.split(' ').includes(`@${name}`)), `${name} is used`);
    this.sets.delete(name);
  }

  #uses(): string[] {
    return [...this.chains.values(), ...this.sets.values()].flatMap((one) => [...one]);
  }
}

const policies = fc
  .array(
    fc.record({
      peer: fc.oneof(
        fc.constant({ type: 'anybody' as const }),
        fc.constantFrom('a', 'b', 'c').map((group) => ({ type: 'group' as const, group })),
        fc.constantFrom('a', 'b').map((endpoints) => ({ type: 'endpoints' as const, endpoints })),
      ),
      ports: fc.array(
        fc.record({ protocol: fc.constantFrom('TCP' as const, 'UDP' as const), first: fc.integer({ min: 1, max: 9 }) }),
        { maxLength: 3 },
      ),
    }),
    { maxLength: 3 },
  )
  .map((rules): PolicyRules => ({ rules }));
const rules = fc.option(fc.array(policies, { maxLength: 3 }), { nil: undefined });
const members = (member: (at: number) => string) =>
  fc.dictionary(
    fc.constantFrom('a', 'b', 'c'),
    fc.uniqueArray(fc.nat(20), { maxLength: 8 }).map((list) => new Set(list.map(member))),
  );
const states: fc.Arbitrary<PolicyState> = fc
  .record({
    pods: fc.dictionary(
      fc.constantFrom('10.80.0.2', '10.80.0.3', '10.80.0.4'),
      fc.record({ ingress: rules, egress: rules }).map(({ ingress, egress }) => ({
        ...(ingress ? { ingress } : {}),
        ...(egress ? { egress } : {}),
      })),
    ),
    groups: members((at) => `10.80.1.${at}`),
    endpoints: members((at) => `10.80.1.${at} TCP 80`),
  })
  .map(({ pods, groups, endpoints }) => ({
    pods: new Map(Object.entries(pods)),
    groups: new Map(Object.entries(groups)),
    endpoints: new Map(Object.entries(endpoints)),
  }));

describe('policy table plan', () => {
  const shown = (table: Table) => ({
    sets: [...table.sets].map(([name, one]) => [name, [...one].sort()]).sort(),
    chains: [...table.chains].sort(),
  });

  it('leads from any state to any other, as if that had been the first', () => {
    fc.assert(
      fc.property(states, states, (first, second) => {
        const [before, after] = [rulesetOf(first), rulesetOf(second)];
        const [changed, fresh] = [new Table(), new Table()];
        changed.run(planPolicyTable(undefined, before));
        changed.run(planPolicyTable(before, after));
        fresh.run(planPolicyTable(undefined, after));
        assert.deepEqual(shown(changed), shown(fresh));
        assert.equal(planPolicyTable(after, rulesetOf(second)), '');
      }),
      { numRuns: 300 },
    );
  });

  it('one more address among 10,000 is one element, and one more pod three', () => {
    const addresses = Array.from({ length: 10_000 }, (_, at) => `10.81.${at >> 8}.${at & 255}`);
    const of = (count: number, pods: readonly string[]): PolicyState => ({
      pods: new Map(pods.map((pod) => [pod, { ingress: [{ rules: [{ peer: { type: 'group', group: 'a' } }] }] }])),
      groups: new Map([['a', new Set(addresses.slice(0, count))]]),
      endpoints: new Map(),
    });
    const pods = ['10.80.0.2', '10.80.0.3'];
    const before = rulesetOf(of(9_999, pods));
    assert.equal(
      planPolicyTable(before, rulesetOf(of(10_000, pods))),
      `add element ip flotilla_policy g_a { ${addresses[9_999]} }\n`,
    );
    const text = planPolicyTable(before, rulesetOf(of(9_999, [...pods, '10.80.0.4'])));
    assert.match(
      text,
      /^add element ip flotilla_policy ingress \{ 10\.80\.0\.4 : goto p_\w+ \}\nadd element .* itself .*\n$/,
    );
  });

  it('without pods there is no table, and nothing to do twice', () => {
    const nothing = rulesetOf({ pods: new Map(), groups: new Map(), endpoints: new Map() });
    assert.equal(planPolicyTable(undefined, nothing), 'table ip flotilla_policy {}\ndelete table ip flotilla_policy\n');
    assert.equal(planPolicyTable(emptyRuleset, nothing), '');
  });
});

import { type Direction, directions, emptyRuleset, type Ruleset, renderElement, setTypeOf } from './ruleset.ts';

export const policyTable = 'flotilla_policy';
/** Pods in which nothing is allowed but what they say to themselves: through their own service they are their own peer. */
export const itselfSet = 'itself';
/** Elements of one command. */
const elementsAtOnce = 1_000;

/**
 * Input of `nft -f -` that makes `desired` of what the kernel has: one transaction. `applied` undefined: whatever is there
 * is replaced. Empty text: nothing to do. Without pods there is no table at all. Pure.
 */
export function planPolicyTable(applied: Ruleset | undefined, desired: Ruleset): string {
  const isWanted = hasPods(desired);
  const isThere = applied !== undefined && hasPods(applied);
  const fresh = isThere ? [] : [`table ip ${policyTable} {}`, `delete table ip ${policyTable}`];
  if (!isWanted) {
    if (applied && !isThere) return '';
    return textOf(isThere ? [`delete table ip ${policyTable}`] : fresh);
  }
  const before = isThere ? applied : emptyRuleset;
  return textOf([...fresh, ...(isThere ? [] : skeleton), ...changes(before, desired)]);
}

export function hasPods({ pods }: Ruleset): boolean {
  return pods.ingress.size > 0 || pods.egress.size > 0;
}

/** Addresses that some direction of some policy is about. */
export function selectedAddresses({ pods }: Ruleset): Set<string> {
  return new Set([...pods.ingress.keys(), ...pods.egress.keys()]);
}

/** Before Docker's chains; an accept here ends only the chain that it stands in. */
const skeleton: readonly string[] = [
  `table ip ${policyTable} {`,
  `  set ${itselfSet} { type ipv4_addr . ipv4_addr; }`,
  ...directions.map((direction) => `  map ${direction} { type ipv4_addr : verdict; }`),
  ...directions.map((direction, at) => {
    const side = direction === 'egress' ? 'saddr' : 'daddr';
    const rules = [
      'ct state established,related accept',
      `ip saddr . ip daddr @${itselfSet} accept`,
      `ip ${side} vmap @${direction}`,
    ];
    return `  chain ${direction}_hook { type filter hook forward priority ${at - 12}; policy accept; ${rules.join('; ')}; }`;
  }),
  '}',
];

/** Of each base chain in the skeleton. */
export const hookRules = 3;
export const hookOf = (direction: Direction): string => `${direction}_hook`;

function changes(before: Ruleset, desired: Ruleset): string[] {
  const lines: string[] = [];
  for (const [name, members] of desired.sets) {
    const had = before.sets.get(name);
    if (had === undefined) lines.push(`add set ip ${policyTable} ${name} { type ${setTypeOf(name)}; }`);
    if (had !== members)
      lines.push(...elements('add', name, missing(members, had)), ...elements('delete', name, missing(had, members)));
  }
  for (const [name, rules] of desired.chains) {
    if (before.chains.has(name)) continue;
    lines.push(
      `add chain ip ${policyTable} ${name}`,
      ...rules.map((rule) => `add rule ip ${policyTable} ${name} ${rule}`),
    );
  }
  for (const direction of directions)
    lines.push(...mapChanges(direction, before.pods[direction], desired.pods[direction]));
  const [had, wanted] = [selectedAddresses(before), selectedAddresses(desired)];
  const pair = (address: string) => `${address} . ${address}`;
  lines.push(
    ...elements('delete', itselfSet, missing(had, wanted).map(pair)),
    ...elements('add', itselfSet, missing(wanted, had).map(pair)),
  );
  // Those of pods stand last and use the others: they go first.
  const gone = [...before.chains.keys()].filter((name) => !desired.chains.has(name)).reverse();
  lines.push(...gone.map((name) => `flush chain ip ${policyTable} ${name}`));
  lines.push(...gone.map((name) => `delete chain ip ${policyTable} ${name}`));
  for (const name of before.sets.keys())
    if (!desired.sets.has(name)) lines.push(`delete set ip ${policyTable} ${name}`);
  return lines;
}

function mapChanges(name: string, before: ReadonlyMap<string, string>, desired: ReadonlyMap<string, string>): string[] {
  const gone = [...before].filter(([address, chain]) => desired.get(address) !== chain).map(([address]) => address);
  const added = [...desired]
    .filter(([address, chain]) => before.get(address) !== chain)
    .map(([address, chain]) => `${address} : goto ${chain}`);
  return [...elements('delete', name, gone), ...elements('add', name, added)];
}

function missing(from: ReadonlySet<string> | undefined, than: ReadonlySet<string> | undefined): string[] {
  if (!from) return [];
  return than ? [...from].filter((one) => !than.has(one)) : [...from];
}

function elements(verb: 'add' | 'delete', name: string, members: readonly string[]): string[] {
  const lines: string[] = [];
  for (let at = 0; at < members.length; at += elementsAtOnce) {
    const some = members
      .slice(at, at + elementsAtOnce)
      .map((one) => (name === itselfSet || one.includes(' : ') ? one : renderElement(one)));
    lines.push(`${verb} element ip ${policyTable} ${name} { ${some.join(', ')} }`);
  }
  return lines;
}

function textOf(lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

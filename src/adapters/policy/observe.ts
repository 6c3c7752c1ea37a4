import { FlotillaError, messageOf } from '../../lib/errors.ts';
import { hookOf, hookRules, itselfSet, selectedAddresses } from './plan.ts';
import { directions, type Ruleset } from './ruleset.ts';

/** What `nft -j -t list table` shows: names, and how many rules each chain has. */
export interface TableShape {
  readonly sets: ReadonlySet<string>;
  readonly rules: ReadonlyMap<string, number>;
}

interface ListedObject {
  readonly name?: string;
  readonly chain?: string;
  readonly elem?: readonly unknown[];
}

type Listed = Readonly<Record<string, ListedObject>>;

function parseListed(json: string): Listed[] {
  try {
    return (JSON.parse(json) as { nftables: Listed[] }).nftables;
  } catch (cause) {
    throw new FlotillaError('HostToolFailed', `cannot read the answer of "nft -j": ${messageOf(cause)}`, { cause });
  }
}

export function parseTableShape(json: string): TableShape {
  const sets = new Set<string>();
  const rules = new Map<string, number>();
  for (const { set, map, chain, rule } of parseListed(json)) {
    const name = (set ?? map)?.name;
    if (name !== undefined) sets.add(name);
    if (chain?.name !== undefined && !rules.has(chain.name)) rules.set(chain.name, 0);
    if (rule?.chain !== undefined) rules.set(rule.chain, (rules.get(rule.chain) ?? 0) + 1);
  }
  return { sets, rules };
}

/** Elements of a listed set or map, as members of a `Ruleset`: `10.80.0.3 TCP 80`, or `10.80.0.2 p_…` of a map. */
export function parseElements(json: string): Set<string> {
  const elements = parseListed(json).flatMap(({ set, map }) => (set ?? map)?.elem ?? []);
  return new Set(elements.map(memberOf));
}

function memberOf(element: unknown): string {
  if (typeof element === 'string') return element;
  if (Array.isArray(element)) {
    const [address, verdict] = element as [string, { goto?: { target?: string } }];
    return `${address} ${verdict.goto?.target}`;
  }
  const { concat = [] } = element as { concat?: readonly (string | number)[] };
  return concat.map((part) => (typeof part === 'string' ? part.toUpperCase() : part)).join(' ');
}

export function shapeOf({ sets, chains }: Ruleset): TableShape {
  const rules = new Map([...chains].map(([name, lines]) => [name, lines.length]));
  for (const direction of directions) rules.set(hookOf(direction), hookRules);
  return { sets: new Set([...sets.keys(), ...directions, itselfSet]), rules };
}

export function isSameShape(a: TableShape, b: TableShape): boolean {
  const haveSame = <T>(
    left: { readonly size: number },
    right: { readonly size: number },
    rest: Iterable<T>,
    same: (one: T) => boolean,
  ) => left.size === right.size && [...rest].every(same);
  return (
    haveSame(a.sets, b.sets, a.sets, (name) => b.sets.has(name)) &&
    haveSame(a.rules, b.rules, a.rules, ([name, count]) => b.rules.get(name) === count)
  );
}

/** Sets and maps that have elements, as `parseElements` gives them: a check looks at one after the other. */
export function elementsOf(ruleset: Ruleset): (readonly ['map' | 'set', string, ReadonlySet<string>])[] {
  const maps = directions.map(
    (direction) =>
      [
        'map',
        direction,
        new Set([...ruleset.pods[direction]].map(([address, chain]) => `${address} ${chain}`)),
      ] as const,
  );
  const own = new Set([...selectedAddresses(ruleset)].map((address) => `${address} ${address}`));
  const sets = [...ruleset.sets].map(([name, members]) => ['set', name, members] as const);
  return [...maps, ['set', itselfSet, own], ...sets];
}

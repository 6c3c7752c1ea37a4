import type { PoolName } from './fronts.ts';
import type { Transaction } from './transaction.ts';

/**
 * Services whose clients stay with an endpoint: a chain for each pool and, for each endpoint, a chain and a set of the
 * clients that have it. An endpoint that goes takes its clients with it at once, which one common set could do only by being
 * read back (docs/adr/0023). A pool that changes gets a new chain, for packets may still be in the old one.
 */
export interface LoadedAffinity {
  readonly id: number;
  readonly seconds: number;
  readonly protocol: string;
  /** Endpoint as nft writes it → its chain, and the set of the same name. */
  readonly endpoints: Map<string, string>;
  readonly pools: Map<PoolName, { readonly chain: string; readonly endpoints: readonly string[] }>;
  lastNumber: number;
}

export interface AffinityWish {
  readonly seconds: number;
  /** `tcp`, `udp`, or empty for a service of all protocols. */
  readonly protocol: string;
  /** Only those that a front of the service uses, none empty. */
  readonly pools: ReadonlyMap<PoolName, readonly string[]>;
}

export interface AffinityContext {
  readonly transaction: Transaction;
  /** Chain → number of its rules, of all chains that are there. */
  readonly chains: Map<string, number>;
  readonly newId: () => number;
  /** What nothing leads to any more after this change; to be dropped with the next one, in this order. */
  readonly retired: Retired[];
}

export interface Retired {
  readonly chain: string;
  /** There is a set of the same name. */
  readonly hasSet: boolean;
}

/** Where a front's verdict points. */
export function poolChain(affinity: LoadedAffinity, pool: PoolName): string {
  const loaded = affinity.pools.get(pool);
  if (!loaded) throw new Error(`no chain for the pool ${pool}`);
  return loaded.chain;
}

/** From what is there to what is wished; the changes go into the transaction. */
export function planAffinity(
  loaded: LoadedAffinity | undefined,
  wish: AffinityWish | undefined,
  context: AffinityContext,
): LoadedAffinity | undefined {
  if (loaded && (!wish || wish.seconds !== loaded.seconds || wish.protocol !== loaded.protocol)) {
    dropAll(loaded, context);
    return planAffinity(undefined, wish, context);
  }
  if (!wish) return undefined;
  const { seconds, protocol, pools } = wish;
  const affinity = loaded ?? {
    id: context.newId(),
    seconds,
    protocol,
    endpoints: new Map(),
    pools: new Map(),
    lastNumber: 0,
  };
  const wanted = new Set([...pools.values()].flat());
  for (const endpoint of wanted) if (!affinity.endpoints.has(endpoint)) addEndpoint(affinity, endpoint, context);
  for (const [pool, endpoints] of pools) setPool(affinity, pool, endpoints, context);
  for (const pool of [...affinity.pools.keys()]) if (!pools.has(pool)) dropPool(affinity, pool, context);
  for (const endpoint of [...affinity.endpoints.keys()]) {
    if (!wanted.has(endpoint)) dropEndpoint(affinity, endpoint, context);
  }
  return affinity;
}

function addEndpoint(affinity: LoadedAffinity, endpoint: string, { transaction, chains }: AffinityContext): void {
  const name = `s${affinity.id}e${++affinity.lastNumber}`;
  const match = affinity.protocol && `meta l4proto ${affinity.protocol} `;
  // The set is bounded (nft's 65,535): a client that finds no room is served all the same, by the second rule.
  transaction.addSet(name, `type ipv4_addr; flags dynamic,timeout; timeout ${affinity.seconds}s;`);
  transaction.addChain(name, [`update @${name} { ip saddr }`, `${match}dnat ip to ${endpoint.replace(' . ', ':')}`]);
  affinity.endpoints.set(endpoint, name);
  chains.set(name, 2);
}

function setPool(
  affinity: LoadedAffinity,
  pool: PoolName,
  endpoints: readonly string[],
  context: AffinityContext,
): void {
  const former = affinity.pools.get(pool)?.endpoints;
  if (former && former.length === endpoints.length && former.every((one, index) => one === endpoints[index])) return;
  const names = endpoints.map((endpoint) => affinity.endpoints.get(endpoint));
  const rules = [
    ...names.map((name) => `ip saddr @${name} goto ${name}`),
    `numgen random mod ${names.length} vmap { ${names.map((name, index) => `${index} : goto ${name}`).join(', ')} }`,
  ];
  if (former) dropPool(affinity, pool, context);
  const chain = `s${affinity.id}_${pool}_${++affinity.lastNumber}`;
  context.transaction.addChain(chain, rules);
  affinity.pools.set(pool, { chain, endpoints });
  context.chains.set(chain, rules.length);
}

function dropPool(affinity: LoadedAffinity, pool: PoolName, { retired }: AffinityContext): void {
  retired.push({ chain: poolChain(affinity, pool), hasSet: false });
  affinity.pools.delete(pool);
}

function dropEndpoint(affinity: LoadedAffinity, endpoint: string, { retired }: AffinityContext): void {
  const chain = affinity.endpoints.get(endpoint);
  if (chain === undefined) return;
  retired.push({ chain, hasSet: true });
  affinity.endpoints.delete(endpoint);
}

function dropAll(affinity: LoadedAffinity, context: AffinityContext): void {
  for (const pool of [...affinity.pools.keys()]) dropPool(affinity, pool, context);
  for (const endpoint of [...affinity.endpoints.keys()]) dropEndpoint(affinity, endpoint, context);
}

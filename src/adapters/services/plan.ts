import { type LoadedAffinity, planAffinity, poolChain, type Retired } from './affinity.ts';
import { type Claims, createClaims } from './claims.ts';
import { type FlowFront, flowFront } from './flows.ts';
import { type Front, type PoolName, planFronts, type ServiceFronts } from './fronts.ts';
import { createRangeCheck } from './ipv4.ts';
import {
  countChain,
  type EndpointGroup,
  type Frame,
  frameChains,
  outsideOffset,
  renderFrame,
  renderPick,
  type Side,
  tableName,
} from './layout.ts';
import type { VirtualService } from './port.ts';
import { planSlots } from './slots.ts';
import { Transaction } from './transaction.ts';

export interface ServicePlan {
  /**
   * Inputs of `nft -f -`, to be run one after the other. Only the last changes what connections see; the one before it, which
   * is seldom needed, makes chains that it leads to. None: nothing changes.
   */
  readonly scripts: readonly string[];
  /** Fronts whose UDP flows may point at endpoints that are no longer theirs. */
  readonly flows: readonly FlowFront[];
  readonly problems: readonly { readonly service: string; readonly problem: string }[];
}

export interface ServicePlanner {
  /**
   * From what was planned last to `services`; the first plan is the whole table in place of any that is there. A plan that
   * was not carried out makes the planner worthless: begin with a new one.
   */
  plan(services: ReadonlyMap<string, VirtualService>): ServicePlan;
  /** Chain → number of its rules, after the last plan. */
  readonly chains: ReadonlyMap<string, number>;
}

interface LoadedService {
  readonly service: VirtualService;
  readonly wish: ServiceFronts;
  /** The fronts that are its own: not those that a service of a lesser name has as well. */
  readonly fronts: readonly Front[];
  readonly slots: Readonly<Record<PoolName, readonly string[]>>;
  readonly affinity: LoadedAffinity | undefined;
  /** `<set> <key>` → value. */
  readonly elements: ReadonlyMap<string, string>;
  readonly foreign: ReadonlySet<string>;
}

const nothing = { fronts: [], slots: { all: [], local: [] }, affinity: undefined, foreign: new Set<string>() };

/** Pure: text out, and a memory of what the kernel was told. */
export function createServicePlanner(frame: Frame): ServicePlanner {
  const loaded = new Map<string, LoadedService>();
  const chains = new Map(frameChains);
  const claims = createClaims();
  const foreignUses = new Map<string, number>();
  const isPodAddress = createRangeCheck(frame.podRange);
  let isNew = true;
  let lastId = 0;
  let stale: ReadonlyMap<string, string> = new Map();
  let retired: Retired[] = [];

  const affinityContext = (transaction: Transaction) => ({ transaction, chains, retired, newId: () => ++lastId });

  const dropRetired = (transaction: Transaction) => {
    for (const { chain, hasSet } of retired) {
      transaction.dropChain(chain);
      if (hasSet) transaction.dropSet(chain);
      chains.delete(chain);
    }
    retired = [];
  };

  /** Names of services to plan anew: those that changed, and those that gain or lose a front by it. */
  const findDirty = (services: ReadonlyMap<string, VirtualService>, wishes: Map<string, ServiceFronts>) => {
    const dirty = new Set<string>();
    const mark = (name: string, others: Iterable<string>) => {
      dirty.add(name);
      for (const other of others) dirty.add(other);
    };
    for (const [name, { service, wish }] of loaded) {
      if (services.get(name) !== service) mark(name, claims.remove(name, wish.fronts));
    }
    for (const [name, service] of services) {
      if (loaded.get(name)?.service === service) continue;
      const wish = planFronts(service);
      wishes.set(name, wish);
      mark(name, claims.add(name, wish.fronts));
    }
    return dirty;
  };

  const ensureChain = (transaction: Transaction, group: EndpointGroup, side: Side, count: number): string => {
    const chain = countChain(group, side, count);
    if (!chains.has(chain)) {
      chains.set(chain, 1);
      transaction.addChain(chain, [renderPick(group, side, count)]);
    }
    return chain;
  };

  const load = (
    name: string,
    service: VirtualService,
    wish: ServiceFronts,
    transaction: Transaction,
  ): LoadedService => {
    const former = loaded.get(name) ?? nothing;
    const fronts = wish.fronts.filter((front) => claims.owner(front) === name);
    const slots = {
      all: planSlots(former.slots.all, wish.pools.all),
      local: planSlots(former.slots.local, wish.pools.local),
    };
    const affinity = planAffinity(
      former.affinity,
      wishedAffinity(service, fronts, slots),
      affinityContext(transaction),
    );
    const elements = new Map<string, string>();
    const add = (set: string, key: string, value: string) => elements.set(`${set} ${key}`, value);
    const addPool = (front: Front, side: Side, pool: PoolName) => {
      const map = side === 'inside' ? front.kind : `${front.kind}_outside`;
      if (affinity) return add(map, front.key, `goto ${poolChain(affinity, pool)}`);
      const endpoints = slots[pool];
      add(map, front.key, `goto ${ensureChain(transaction, front.group, side, endpoints.length)}`);
      const offset = side === 'inside' ? 0 : outsideOffset;
      for (const [index, endpoint] of endpoints.entries()) {
        add(`${front.group}_endpoints`, `${front.groupKey} . ${offset + index}`, endpoint);
      }
    };
    for (const front of fronts) {
      if (slots[front.inside].length === 0) add(`${front.kind}_refused`, front.key, '');
      else addPool(front, 'inside', front.inside);
      if (front.outside && slots[front.outside].length > 0) addPool(front, 'outside', front.outside);
      // Another node has an endpoint, and a balancer before us finds out by itself: say nothing, as Kubernetes does.
      else if (front.outside && slots.all.length > 0) add(`${front.kind}_outside`, front.key, 'drop');
      if (!front.allowedSources) continue;
      add(`${front.kind}_restricted`, front.key, '');
      for (const source of front.allowedSources) add(`${front.kind}_allowed`, `${front.key} . ${source}`, '');
    }
    const addresses = fronts.length === 0 ? [] : slots.all.map((endpoint) => endpoint.split(' ', 1)[0] ?? '');
    const foreign = new Set(addresses.filter((address) => !isPodAddress(address)));
    return { service, wish, fronts, slots, affinity, elements, foreign };
  };

  const countForeign = (transaction: Transaction, former: ReadonlySet<string>, next: ReadonlySet<string>) => {
    const change = (address: string, by: number) => {
      const before = foreignUses.get(address) ?? 0;
      foreignUses.set(address, before + by);
      return before;
    };
    for (const address of next) {
      if (!former.has(address) && change(address, 1) === 0) transaction.addElement(`foreign ${address}`, '');
    }
    for (const address of former) {
      if (!next.has(address) && change(address, -1) === 1) transaction.deleteElement(`foreign ${address}`);
    }
  };

  return {
    chains,
    plan: (services) => {
      const transaction = new Transaction();
      const wishes = new Map<string, ServiceFronts>();
      const dirty = findDirty(services, wishes);
      const before = createPicture();
      const after = createPicture();
      const problems: { service: string; problem: string }[] = [];
      dropRetired(transaction);
      for (const name of dirty) {
        const former = loaded.get(name);
        const service = services.get(name);
        const wish = wishes.get(name) ?? former?.wish;
        const next = service && wish ? load(name, service, wish, transaction) : undefined;
        if (former) addToPicture(before, former);
        if (next) addToPicture(after, next);
        if (!next && former) planAffinity(former.affinity, undefined, affinityContext(transaction));
        countForeign(transaction, former?.foreign ?? nothing.foreign, next?.foreign ?? nothing.foreign);
        if (next) loaded.set(name, next);
        else loaded.delete(name);
        problems.push(...problemsOf(name, next, claims));
      }
      stale = diffElements(transaction, before.elements, after.elements, stale);
      const frameScript = isNew ? `table ip ${tableName} {}\ndelete table ip ${tableName}\n${renderFrame(frame)}` : '';
      const preparation = transaction.renderPreparation();
      const change = transaction.renderChange();
      const scripts = isNew ? [frameScript + preparation + change] : [preparation, change].filter((one) => one !== '');
      isNew = false;
      return { scripts, flows: staleFronts(before.flows, after.flows), problems };
    },
  };
}

/** What the kernel is told of some services. */
interface Picture {
  readonly elements: Map<string, string>;
  readonly flows: Map<string, FlowFront>;
}

function createPicture(): Picture {
  return { elements: new Map(), flows: new Map() };
}

function addToPicture(picture: Picture, { elements, fronts, slots }: LoadedService): void {
  for (const [id, value] of elements) picture.elements.set(id, value);
  for (const front of fronts) {
    const pools = front.outside ? [front.inside, front.outside] : [front.inside];
    const flow = flowFront(front, new Set(pools.flatMap((pool) => slots[pool])));
    if (flow) picture.flows.set(front.id, flow);
  }
}

/**
 * Gives the endpoints that are not wanted any more, but stay until the next change: a packet that was led to a chain by the
 * map of before must find what it picks there, though it looks it up after.
 */
function diffElements(
  transaction: Transaction,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
  stale: ReadonlyMap<string, string>,
): Map<string, string> {
  const nextStale = new Map<string, string>();
  for (const [id, value] of before) {
    const wanted = after.get(id);
    if (wanted === undefined && id.includes('_endpoints ')) nextStale.set(id, value);
    else if (wanted !== value) transaction.deleteElement(id);
  }
  for (const [id, value] of after) {
    if (value !== (before.get(id) ?? stale.get(id))) transaction.addElement(id, value);
  }
  for (const [id, value] of stale) if (after.get(id) !== value) transaction.deleteElement(id);
  return nextStale;
}

function wishedAffinity(service: VirtualService, fronts: readonly Front[], slots: LoadedService['slots']) {
  const names = new Set(fronts.flatMap((front) => (front.outside ? [front.inside, front.outside] : [front.inside])));
  const pools = new Map([...names].map((name) => [name, slots[name]] as const).filter(([, list]) => list.length > 0));
  if (!service.affinitySeconds || pools.size === 0) return undefined;
  return { seconds: service.affinitySeconds, protocol: service.port?.protocol.toLowerCase() ?? '', pools };
}

/** Fronts that lost an endpoint, or that had none or were not there: before, a flow may have gone anywhere. */
function staleFronts(before: ReadonlyMap<string, FlowFront>, after: ReadonlyMap<string, FlowFront>): FlowFront[] {
  const stale: FlowFront[] = [];
  for (const [id, front] of after) {
    const former = before.get(id)?.endpoints ?? new Set();
    if (former.size === 0 || [...former].some((endpoint) => !front.endpoints.has(endpoint))) stale.push(front);
  }
  for (const [id, front] of before) if (!after.has(id)) stale.push({ ...front, endpoints: new Set() });
  return stale;
}

function problemsOf(name: string, next: LoadedService | undefined, claims: Claims) {
  if (!next) return [];
  const taken = next.wish.fronts.filter((front) => !next.fronts.includes(front));
  return [
    ...next.wish.problems,
    ...taken.map((front) => `${front.key.replaceAll(' . ', ' ')} belongs to service ${claims.owner(front)}`),
  ].map((problem) => ({ service: name, problem }));
}

import { randomInt } from 'node:crypto';
import { ApiError } from '../../../resources/api-error.ts';
import { invalid, invalidError } from '../../../resources/field-errors.ts';
import { gridNetworkOf } from '../../../resources/grid-network.ts';
import type { Kind } from '../../../resources/kind.ts';
import { type Grid, grids, type Ingress, ingresses, type Service, services } from '../../../resources/kinds.ts';
import { systemGrid } from '../../../resources/names.ts';
import type { ApiObject } from '../../../resources/object.ts';
import type { Condition, Entry, Operation } from '../../../store/port.ts';
import type { Call, RegistryContext } from '../call.ts';
import { isSame } from '../server-fields.ts';
import {
  addressPool,
  claimedIn,
  lacksAddress,
  nodePortPool,
  owedNodePort,
  type Pool,
  poolPrefix,
  reservationKey,
  withAddress,
  withNodePort,
} from './claims.ts';

import { reserveIngress } from './ingress-claims.ts';

/** What goes into the commit of an object beside the object. */
export interface Reserved {
  /** With what was given to it. */
  readonly object: ApiObject;
  readonly conditions: readonly Condition[];
  readonly operations: readonly Operation[];
}

/**
 * What `object` claims beyond `old`, and what it no longer claims; chooses what the server owes it. Nothing is taken until
 * the commit, so a dry run takes nothing; a commit that fails may be tried again from here. Throws ApiError 422 for a claim
 * that somebody else has, 500 when there is none left.
 */
export async function reserve(
  context: RegistryContext,
  call: Call,
  kind: Kind,
  object: ApiObject,
  old?: ApiObject,
): Promise<Reserved> {
  if (isSame(kind, ingresses)) {
    return { object, ...(await reserveIngress(context, call, object as Ingress, old as Ingress | undefined)) };
  }
  if (!isSame(kind, services)) return { object, conditions: [], operations: [] };
  return await new Reservation(context, call, object as Service, old as Service | undefined).make();
}

/** What an object that goes leaves to others. */
export async function release(
  context: RegistryContext,
  call: Call,
  kind: Kind,
  object: ApiObject,
): Promise<Omit<Reserved, 'object'>> {
  if (isSame(kind, ingresses)) return await reserveIngress(context, call, undefined, object as Ingress);
  if (!isSame(kind, services)) return { conditions: [], operations: [] };
  const operations = poolsOf(context, call).flatMap((pool) =>
    claimedIn(pool, object as Service).map((number): Operation => {
      return { type: 'delete', key: reservationKey(call.grid, pool, number) };
    }),
  );
  return { conditions: [], operations };
}

function poolsOf(context: RegistryContext, call: Call): readonly [addresses: Pool, nodePorts: Pool] {
  const grid = context.cache.get(systemGrid, grids, undefined, call.grid)?.object as Grid | undefined;
  const { serviceRange, nodePortRange } = gridNetworkOf(grid?.spec?.network);
  return [addressPool(serviceRange), nodePortPool(nodePortRange)];
}

const randomTries = 32;

/** Of one Service object, for one commit. */
class Reservation {
  readonly #context: RegistryContext;
  readonly #call: Call;
  readonly #old: Service | undefined;
  readonly #conditions: Condition[] = [];
  #service: Service;

  constructor(context: RegistryContext, call: Call, service: Service, old: Service | undefined) {
    this.#context = context;
    this.#call = call;
    this.#service = service;
    this.#old = old;
  }

  async make(): Promise<Reserved> {
    const [addresses, nodePorts] = poolsOf(this.#context, this.#call);
    for (const pool of [addresses, nodePorts]) for (const number of this.#news(pool)) await this.#claim(pool, number);
    if (lacksAddress(this.#service)) {
      this.#service = withAddress(this.#service, addresses.textOf(await this.#choose(addresses, 'serviceIP')));
    }
    for (let owed = owedNodePort(this.#service); owed; owed = owedNodePort(this.#service)) {
      const nodePort = owed.known ?? (await this.#choose(nodePorts, 'nodePort'));
      this.#service = withNodePort(this.#service, owed.index, nodePort);
    }
    const operations = [addresses, nodePorts].flatMap((pool) => this.#operations(pool));
    return { object: this.#service, conditions: this.#conditions, operations };
  }

  #news(pool: Pool): readonly number[] {
    const before = this.#old ? claimedIn(pool, this.#old) : [];
    return claimedIn(pool, this.#service).filter((number) => !before.includes(number));
  }

  /** Throws unless it may be had by asking for it. */
  async #claim(pool: Pool, number: number): Promise<void> {
    const { first, last } = pool.range;
    if (number < first || number > last) throw this.#refusal(pool, number, outOfRange(pool, number));
    const isKept = pool.kept.has(number) && !isApiService(this.#service);
    if (isKept || !(await this.#takeIfFree(pool, number)))
      throw this.#refusal(pool, number, alreadyAllocated[pool.type]);
  }

  async #choose(pool: Pool, what: string): Promise<number> {
    const { first, last } = pool.preferred;
    for (let tries = 0; tries < randomTries; tries++) {
      const number = randomInt(first, last + 1);
      if (!this.#isOutOfQuestion(pool, number) && (await this.#takeIfFree(pool, number))) return number;
    }
    for await (const number of this.#all(pool)) {
      if (!this.#isOutOfQuestion(pool, number) && (await this.#takeIfFree(pool, number))) return number;
    }
    const message = `Internal error occurred: failed to allocate a ${what}: range is full`;
    throw new ApiError({ code: 500, reason: 'InternalError', message });
  }

  /** Those that nobody holds first: the preferred ones, then the others from the top; then those that somebody seems to hold. */
  async *#all(pool: Pool): AsyncGenerator<number> {
    const held = new Set<string>();
    const prefix = poolPrefix(this.#call.grid, pool);
    for (let startAfter: string | undefined; ; ) {
      const page = await this.#context.store.list(prefix, { limit: 5_000, ...(startAfter ? { startAfter } : {}) });
      for (const { key } of page.entries) held.add(key);
      startAfter = page.entries.at(-1)?.key;
      if (!page.more) break;
    }
    const { range, preferred } = pool;
    const later: number[] = [];
    for (const [first, last] of [
      [preferred.first, preferred.last],
      [range.first, preferred.first - 1],
    ] as const) {
      for (let number = last; number >= first; number--) {
        if (held.has(reservationKey(this.#call.grid, pool, number))) later.push(number);
        else yield number;
      }
    }
    yield* later;
  }

  #isOutOfQuestion(pool: Pool, number: number): boolean {
    return pool.kept.has(number) || claimedIn(pool, this.#service).includes(number);
  }

  /** True: its key is free, and the commit will fail unless it still is. */
  async #takeIfFree(pool: Pool, number: number): Promise<boolean> {
    const key = reservationKey(this.#call.grid, pool, number);
    const entry = await this.#context.store.get(key);
    if (entry && (await this.#isHeld(pool, number, entry))) return false;
    this.#conditions.push({ key, modRevision: entry?.modRevision ?? 0 });
    return true;
  }

  /** A server of an earlier version removes objects and leaves their reservations. */
  async #isHeld(pool: Pool, number: number, entry: Entry): Promise<boolean> {
    const { cache } = this.#context;
    await cache.fresh(); // the holder came in the same commit
    const { namespace, name, uid } = JSON.parse(Buffer.from(entry.value).toString()) as Holder;
    const holder = cache.get(this.#call.grid, services, namespace, name)?.object as Service | undefined;
    return holder?.metadata.uid === uid && claimedIn(pool, holder).includes(number);
  }

  #operations(pool: Pool): Operation[] {
    const after = claimedIn(pool, this.#service);
    const before = this.#old ? claimedIn(pool, this.#old) : [];
    const { namespace = '', name, uid = '' } = this.#service.metadata;
    const value = Buffer.from(JSON.stringify({ namespace, name, uid } satisfies Holder));
    const keyOf = (number: number) => reservationKey(this.#call.grid, pool, number);
    return [
      ...after
        .filter((one) => !before.includes(one))
        .map((one): Operation => ({ type: 'put', key: keyOf(one), value })),
      ...before.filter((one) => !after.includes(one)).map((one): Operation => ({ type: 'delete', key: keyOf(one) })),
    ];
  }

  #refusal(pool: Pool, number: number, why: string): ApiError {
    const { name } = this.#service.metadata;
    if (pool.type === 'service-ip') {
      const detail = `failed to allocate IP ${pool.textOf(number)}: ${why}`;
      return invalidError(services, name, [invalid('spec.clusterIPs', this.#service.spec.clusterIPs, detail)]);
    }
    const index = this.#service.spec.ports?.findIndex((port) => port.nodePort === number) ?? 0;
    return invalidError(services, name, [invalid(`spec.ports[${index}].nodePort`, number, why)]);
  }
}

interface Holder {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

const alreadyAllocated = {
  'service-ip': 'provided IP is already allocated',
  'node-port': 'provided port is already allocated',
} as const;

function outOfRange(pool: Pool, number: number): string {
  const [what, plural] = pool.type === 'node-port' ? ['port', 'ports'] : [`IP (${pool.textOf(number)})`, 'IPs'];
  const the = pool.type === 'node-port' ? 'provided' : 'the provided';
  return `${the} ${what} is not in the valid range. The range of valid ${plural} is ${pool.rangeText}`;
}

function isApiService({ metadata }: Service): boolean {
  return metadata.namespace === 'default' && metadata.name === 'kubernetes';
}

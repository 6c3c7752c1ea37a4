import { duplicate, invalid, invalidError, tooMany } from '../../../resources/field-errors.ts';
import { gridIngressOf } from '../../../resources/grid-ingress.ts';
import { gridNetworkOf, parsePortRange } from '../../../resources/grid-network.ts';
import { anyHost, hostsOf } from '../../../resources/ingress-facts.ts';
import { ingressOptions, ingressOptionsOf, optionPrefix } from '../../../resources/ingress-options.ts';
import { isOurIngress } from '../../../resources/is-our-ingress.ts';
import { jsonEqual } from '../../../resources/json.ts';
import {
  type Grid,
  grids,
  type Ingress,
  type IngressClass,
  ingressClasses,
  ingresses,
} from '../../../resources/kinds.ts';
import { systemGrid } from '../../../resources/names.ts';
import type { FieldError } from '../../../resources/schema.ts';
import type { Condition, Entry, Operation } from '../../../store/port.ts';
import type { Call, RegistryContext } from '../call.ts';
import { reservationPrefix } from './claims.ts';

/** A host belongs to a namespace, whose objects share it; a port of plain TCP to one object. */
export interface IngressClaim {
  readonly type: 'ingress-host' | 'ingress-port';
  /** The host, or the port. */
  readonly value: string;
  readonly isShared: boolean;
}

/** As it lies beside the objects. ADR 0030. */
interface Holding {
  readonly namespace: string;
  readonly holders: readonly { readonly name: string; readonly uid: string }[];
}

export interface IngressReservation {
  readonly conditions: readonly Condition[];
  readonly operations: readonly Operation[];
}

/** A commit takes 128 changes: all hosts may be exchanged for others at once. */
export const maxHosts = 60;

const nothing: IngressReservation = { conditions: [], operations: [] };

/**
 * Takes what `next` claims and lets go of what only `old` did, in the commit that these go into. Throws ApiError 422 that names
 * who has it.
 */
export async function reserveIngress(
  context: RegistryContext,
  call: Call,
  next: Ingress | undefined,
  old: Ingress | undefined,
): Promise<IngressReservation> {
  if (next && old && isSameClaim(next, old)) return nothing;
  const object = next ?? old;
  if (!object) return nothing;
  const wanted = next && isOurs(context, call, next) ? claimsOf(next) : [];
  if (next) requireAllowed(context, call, next, wanted);
  const wantedKeys = new Map(wanted.map((claim) => [keyOf(call.grid, claim), claim]));
  // Whatever its class was and is now: what it may have taken is looked at.
  const mayHave = old ? claimsOf(old) : [];
  const all = new Map([...mayHave.map((claim) => [keyOf(call.grid, claim), claim] as const), ...wantedKeys]);
  const conditions: Condition[] = [];
  const operations: Operation[] = [];
  for (const [key, claim] of all) {
    const entry = await context.store.get(key);
    const change = wantedKeys.has(key) ? await taken(context, call, object, claim, entry) : released(object, entry);
    if (change === undefined) continue;
    conditions.push({ key, modRevision: entry?.modRevision ?? 0 });
    operations.push(change.holders.length > 0 ? put(key, change) : { type: 'delete', key });
  }
  return { conditions, operations };
}

/** Nothing that decides about claims differs: writes of the status do not read the store. */
function isSameClaim(next: Ingress, old: Ingress): boolean {
  if (next.spec.ingressClassName !== old.spec.ingressClassName) return false;
  return jsonEqual(claimsOf(next), claimsOf(old)) && jsonEqual(next.metadata.annotations, old.metadata.annotations);
}

function claimsOf(ingress: Ingress): readonly IngressClaim[] {
  const { tcpPort } = ingressOptionsOf(ingress);
  if (tcpPort !== undefined) return [{ type: 'ingress-port', value: String(tcpPort), isShared: false }];
  return hostsOf(ingress).map((value) => ({ type: 'ingress-host', value, isShared: true }));
}

function keyOf(grid: string, { type, value }: IngressClaim): string {
  return `${reservationPrefix}${grid}/${type}/${value}`;
}

/** The entry with the object in it; undefined: it is in it already. Throws ApiError: somebody else has it. */
async function taken(
  context: RegistryContext,
  call: Call,
  object: Ingress,
  claim: IngressClaim,
  entry: Entry | undefined,
): Promise<Holding | undefined> {
  const { namespace = '', name, uid = '' } = object.metadata;
  const own = { name, uid };
  if (!entry) return { namespace, holders: [own] };
  const held = parseHolding(entry);
  if (held.namespace === namespace && held.holders.some((one) => one.uid === uid)) return undefined;
  const holders = await stillThere(context, call, claim, held);
  const [owner] = holders;
  if (!owner) return { namespace, holders: [own] };
  if (claim.isShared && held.namespace === namespace) return { namespace, holders: [...holders, own] };
  throw invalidError(ingresses, name, [refusal(object, claim, `Ingress ${held.namespace}/${owner.name}`)]);
}

/** The entry without the object; undefined: it is not in it. */
function released({ metadata }: Ingress, entry: Entry | undefined): Holding | undefined {
  if (!entry) return undefined;
  const held = parseHolding(entry);
  const holders = held.holders.filter(({ uid }) => uid !== metadata.uid);
  return holders.length === held.holders.length ? undefined : { ...held, holders };
}

/** A class that went to somebody else leaves claims behind that nobody needs. */
async function stillThere(
  { cache }: RegistryContext,
  call: Call,
  claim: IngressClaim,
  held: Holding,
): Promise<Holding['holders']> {
  await cache.fresh(); // the holder came in the same commit
  const classes = classesOf(cache, call);
  return held.holders.filter(({ name, uid }) => {
    const holder = cache.get(call.grid, ingresses, held.namespace, name)?.object as Ingress | undefined;
    if (holder?.metadata.uid !== uid || !isOurIngress(holder, classes)) return false;
    return claimsOf(holder).some(({ type, value }) => type === claim.type && value === claim.value);
  });
}

function isOurs({ cache }: RegistryContext, call: Call, ingress: Ingress): boolean {
  return isOurIngress(ingress, classesOf(cache, call));
}

function classesOf(cache: RegistryContext['cache'], call: Call): ReadonlyMap<string, IngressClass> {
  const found = cache.list(call.grid, ingressClasses, {}) ?? [];
  return new Map(found.map(({ object }) => [object.metadata.name, object as IngressClass]));
}

/** What no object may have, whoever else has it. Throws ApiError 422. */
function requireAllowed(context: RegistryContext, call: Call, next: Ingress, wanted: readonly IngressClaim[]): void {
  const errors: FieldError[] = [];
  const hosts = wanted.filter(({ type }) => type === 'ingress-host').length;
  if (hosts > maxHosts) errors.push(tooMany('spec.rules', hosts, maxHosts));
  const port = wanted.find(({ type }) => type === 'ingress-port');
  if (port) errors.push(...portErrors(context, call, Number(port.value)));
  if (errors.length > 0) throw invalidError(ingresses, next.metadata.name, errors);
}

const portField = `metadata.annotations[${optionPrefix}${ingressOptions.tcpPort.name}]`;

function portErrors({ cache }: RegistryContext, call: Call, port: number): FieldError[] {
  const { spec } = (cache.get(systemGrid, grids, undefined, call.grid)?.object as Grid | undefined) ?? {};
  const { httpPort, httpsPort } = gridIngressOf(spec?.ingress);
  const { nodePortRange } = gridNetworkOf(spec?.network);
  const nodePorts = parsePortRange(nodePortRange);
  const refuse = (why: string) => [invalid(portField, String(port), why)];
  if (port === httpPort) return refuse('HTTP has this port');
  if (port === httpsPort) return refuse('HTTPS has this port');
  if (nodePorts && port >= nodePorts.first && port <= nodePorts.last) {
    return refuse(`node ports of Service objects are ${nodePortRange}`);
  }
  return [];
}

function refusal({ spec }: Ingress, { type, value }: IngressClaim, owner: string): FieldError {
  if (type === 'ingress-port') return duplicate(portField, value, `port ${value} belongs to ${owner}`);
  const words = value === anyHost ? 'every host that nobody names belongs' : `host "${value}" belongs`;
  const index = spec.rules?.findIndex(({ host }) => (host || anyHost) === value) ?? -1;
  const field = index < 0 ? 'spec.defaultBackend' : `spec.rules[${index}].host`;
  return duplicate(field, value, `${words} to ${owner}`);
}

function put(key: string, holding: Holding): Operation {
  return { type: 'put', key, value: Buffer.from(JSON.stringify(holding)) };
}

function parseHolding({ value }: Entry): Holding {
  return JSON.parse(Buffer.from(value).toString()) as Holding;
}

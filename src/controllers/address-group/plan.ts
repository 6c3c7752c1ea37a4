import { type GroupSelector, type NamedPort, partName } from '../../resources/address-groups.ts';
import { apiVersionOf } from '../../resources/kind.ts';
import { type AddressGroup, addressGroups } from '../../resources/kinds.ts';
import { labels } from '../../resources/names.ts';
import { isSame } from '../same.ts';

export type AddressGroupStep =
  | { readonly type: 'createPart'; readonly part: AddressGroup }
  | { readonly type: 'updatePart'; readonly part: AddressGroup }
  | { readonly type: 'deletePart'; readonly part: AddressGroup };

export interface AddressGroupObservation {
  readonly name: string;
  /** Undefined: no policy uses the group. */
  readonly selector: GroupSelector | undefined;
  /** Address → named ports of its pod. */
  readonly members: ReadonlyMap<string, readonly NamedPort[]>;
  /** Objects of the group that there are. */
  readonly parts: readonly AddressGroup[];
}

/** A part is sent whole, to every node, when one of its pods comes or goes. */
export const addressesPerPart = 200;

/**
 * The parts of a group as they must be, against those that are; nothing when equal. An address stays in its part, so that a pod
 * that comes or goes changes one part. Part 0 is there even when the group is empty.
 */
export function planAddressGroup({ name, selector, members, parts }: AddressGroupObservation): AddressGroupStep[] {
  const isOurs = (part: AddressGroup) => part.metadata.name === partName(name, part.spec.part);
  const foreign = selector ? parts.filter((part) => !isOurs(part)) : parts;
  const steps: AddressGroupStep[] = foreign.map((part) => ({ type: 'deletePart', part }));
  if (!selector) return steps;
  const known = new Map(parts.filter(isOurs).map((part) => [part.spec.part, part]));
  const places = placed(known, members);
  for (const [index, addresses] of places) {
    const part = partOf({ name, selector, index, addresses, members });
    const old = known.get(index);
    if (!old) steps.push({ type: 'createPart', part });
    else if (!isSame({ ...old.spec }, part.spec))
      steps.push({ type: 'deletePart', part: old }); // made anew by the next round
    else if (!isSame(old.subsets ?? [], part.subsets) || !isSame(old.metadata.labels, part.metadata.labels)) {
      steps.push({
        type: 'updatePart',
        part: { ...part, metadata: { ...old.metadata, labels: { ...part.metadata.labels } } },
      });
    }
  }
  for (const [index, part] of known) if (!places.has(index)) steps.push({ type: 'deletePart', part });
  return steps;
}

/** Part → its addresses. Two parts that are half empty become one. */
function placed(
  known: ReadonlyMap<number, AddressGroup>,
  members: ReadonlyMap<string, unknown>,
): Map<number, string[]> {
  const places = new Map<number, string[]>([[0, []]]);
  const homeless = new Set(members.keys());
  for (const [index, part] of [...known].sort(([a], [b]) => a - b)) {
    const own = addressesOf(part).filter((address) => homeless.delete(address));
    if (own.length > 0) places.set(index, own.slice(0, addressesPerPart));
    for (const address of own.slice(addressesPerPart)) homeless.add(address);
  }
  const emptiest = [...places].sort(([, a], [, b]) => a.length - b.length).slice(0, 2);
  const [[first, few] = [0, []], [second, more] = [0, []]] = emptiest;
  if (emptiest.length === 2 && few.length + more.length <= addressesPerPart / 2) {
    places.set(Math.min(first, second), [...few, ...more]);
    places.delete(Math.max(first, second));
  }
  let index = 0;
  for (const address of homeless) {
    while ((places.get(index)?.length ?? 0) >= addressesPerPart) index += 1;
    const place = places.get(index);
    if (place) place.push(address);
    else places.set(index, [address]);
  }
  return places;
}

function addressesOf(part: AddressGroup): string[] {
  return part.subsets?.flatMap((subset) => subset.addresses) ?? [];
}

function partOf(given: {
  readonly name: string;
  readonly selector: GroupSelector;
  readonly index: number;
  readonly addresses: readonly string[];
  readonly members: ReadonlyMap<string, readonly NamedPort[]>;
}): AddressGroup {
  const { name, selector, index, addresses, members } = given;
  const subsets = new Map<string, { ports: NamedPort[]; addresses: string[] }>();
  for (const address of [...addresses].sort()) {
    const ports = [...(members.get(address) ?? [])];
    const key = JSON.stringify(ports);
    const subset = subsets.get(key);
    if (subset) subset.addresses.push(address);
    else subsets.set(key, { ports, addresses: [address] });
  }
  const sorted = [...subsets].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    apiVersion: apiVersionOf(addressGroups),
    kind: addressGroups.kind,
    metadata: { name: partName(name, index), labels: { [labels.addressGroup]: name } },
    spec: { ...selector, part: index },
    subsets: sorted.map(([, { ports, addresses: own }]) => ({
      addresses: own,
      ...(ports.length > 0 ? { ports } : {}),
    })),
  };
}

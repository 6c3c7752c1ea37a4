import type { PolicyRules } from '../../adapters/policy/port.ts';
import { parseIPv4 } from '../../lib/cidr.ts';
import type { AddressGroup } from '../../resources/kinds.ts';
import { labels } from '../../resources/names.ts';

type Members = ReadonlySet<string>;

interface Known {
  readonly parts: readonly AddressGroup[];
  readonly members: Members;
}

/** The name under which rules know the pods of a group by a named port of theirs. */
export function endpointsName(group: string, port: string, protocol: string): string {
  return `${group}_${protocol.toLowerCase()}_${port}`;
}

/** Puts the parts of address groups together, those that are used; what has not changed is the same object. IPv4. */
export class GroupMembers {
  #groups = new Map<string, Known>();
  #endpoints = new Map<string, Known>();

  /** A group that has no parts yet is empty: nobody is allowed before it is known who is meant. */
  of(
    used: Iterable<PolicyRules>,
    all: Iterable<AddressGroup>,
  ): { groups: Map<string, Members>; endpoints: Map<string, Members> } {
    const [groupNames, endpointsNames] = [new Set<string>(), new Set<string>()];
    for (const { rules } of used) {
      for (const { peer } of rules) {
        if (peer.type === 'group') groupNames.add(peer.group);
        if (peer.type === 'endpoints') endpointsNames.add(peer.endpoints);
      }
    }
    const parts = partsByGroup(all);
    this.#groups = renewed(this.#groups, groupNames, (name) => parts.get(name) ?? [], addressesIn);
    this.#endpoints = renewed(
      this.#endpoints,
      endpointsNames,
      (name) => parts.get(name.split('_')[0] ?? '') ?? [],
      endpointsIn,
    );
    return { groups: membersOf(this.#groups), endpoints: membersOf(this.#endpoints) };
  }
}

function partsByGroup(all: Iterable<AddressGroup>): Map<string, AddressGroup[]> {
  const found = new Map<string, AddressGroup[]>();
  for (const part of all) {
    const name = part.metadata.labels?.[labels.addressGroup] ?? '';
    const parts = found.get(name);
    if (parts) parts.push(part);
    else found.set(name, [part]);
  }
  return found;
}

function renewed(
  known: ReadonlyMap<string, Known>,
  names: Iterable<string>,
  partsOf: (name: string) => readonly AddressGroup[],
  collect: (parts: readonly AddressGroup[], name: string) => Members,
): Map<string, Known> {
  const fresh = new Map<string, Known>();
  for (const name of names) {
    const parts = partsOf(name);
    const before = known.get(name);
    const isSame = before && parts.length === before.parts.length && parts.every((part) => before.parts.includes(part));
    fresh.set(name, isSame ? before : { parts, members: collect(parts, name) });
  }
  return fresh;
}

function addressesIn(parts: readonly AddressGroup[]): Members {
  const subsets = parts.flatMap((part) => part.subsets ?? []);
  return new Set(subsets.flatMap(({ addresses }) => addresses.filter((one) => parseIPv4(one) !== undefined)));
}

function endpointsIn(parts: readonly AddressGroup[], name: string): Members {
  const [, protocol = '', port] = name.split('_');
  const found = new Set<string>();
  for (const { addresses, ports = [] } of parts.flatMap((part) => part.subsets ?? [])) {
    for (const one of ports) {
      if (one.name !== port || one.protocol.toLowerCase() !== protocol) continue;
      for (const address of addresses) {
        if (parseIPv4(address) !== undefined) found.add(`${address} ${one.protocol} ${one.port}`);
      }
    }
  }
  return found;
}

function membersOf(known: ReadonlyMap<string, Known>): Map<string, Members> {
  return new Map([...known].map(([name, { members }]) => [name, members]));
}

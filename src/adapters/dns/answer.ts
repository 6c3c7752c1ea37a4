import type { Question } from './message/question.ts';
import {
  addressData,
  minimalAnyRecord,
  nameRecord,
  type ResourceRecord,
  recordTypes,
  soaRecord,
  srvRecord,
  ttls,
} from './message/record.ts';
import { prepareRecord, type ResponseCode, renderPrepared, renderResponse } from './message/response.ts';
import type { DnsPort, DnsSettings } from './port.ts';
import { type Place, Places } from './zone/places.ts';
import { endpointLabel, type ServiceEntry, type ZoneIndex } from './zone/zone-index.ts';

/** `elsewhere`: ask the host's resolvers. `alias`: a CNAME to a name elsewhere, whose records are still to be fetched. */
export type Answer =
  | { readonly kind: 'bytes'; readonly packet: Buffer }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'elsewhere' }
  | { readonly kind: 'alias'; readonly records: readonly ResourceRecord[]; readonly target: string };

const maxAliases = 8;

/**
 * Answers from the zone. `unknown`: ours, and there is no zone yet. A known name without the asked-for type is empty, not
 * absent: NXDOMAIN to AAAA would hide its A from musl.
 */
export function createAnswers(settings: DnsSettings): (question: Question, isUdp: boolean, zone?: ZoneIndex) => Answer {
  const places = new Places(settings);
  const { domain } = settings;

  return (question, isUdp, zone) => {
    const place = places.find(question.name);
    if (place.kind === 'elsewhere') return place;
    if (place.kind === 'reverse') return reverse(question, isUdp, place, zone);
    if (!zone) return { kind: 'unknown' };
    if (place.below === undefined) return absent(question, isUdp, place.zone);
    if (place.below === '') return apex(question, isUdp, place.zone);
    const found = zone.find(place.below);
    switch (found?.kind) {
      case 'service':
        return service(question, isUdp, place.zone, found.entry, zone);
      case 'endpoint':
        return addresses(question, isUdp, place.zone, found.addresses);
      case 'port':
        return ports(question, isUdp, place.zone, found.entry, (port) => {
          return port.name === found.name && port.protocol === found.protocol;
        });
      case 'parent':
        return empty(question, isUdp, place.zone);
    }
    const pod = places.podAddress(place.below);
    if (pod !== undefined) return addresses(question, isUdp, place.zone, [pod]);
    if (/^[a-z0-9-]+\.pod$/.test(place.below)) return empty(question, isUdp, place.zone);
    return absent(question, isUdp, place.zone);
  };

  function service(question: Question, isUdp: boolean, zoneName: string, entry: ServiceEntry, zone: ZoneIndex): Answer {
    const { type } = question;
    if (entry.records.externalName !== undefined) return alias(question, isUdp, entry.records.externalName, zone);
    if (type === recordTypes.SRV) return ports(question, isUdp, zoneName, entry, () => true);
    const known = preparedOf(entry);
    const records = type === recordTypes.ANY ? [...known.values()][0] : known.get(type);
    if (records) return bytes(renderPrepared(question, isUdp, records, entry.turn++ % records.length));
    return type === recordTypes.ANY ? any(question, isUdp) : empty(question, isUdp, zoneName);
  }

  /** Follows names of ours; where it leaves them, others are asked. A circle is a failure: it has no answer. */
  function alias(question: Question, isUdp: boolean, first: string, zone: ZoneIndex): Answer {
    const records: ResourceRecord[] = [];
    let owner = question.name;
    let target = first.toLowerCase().replace(/\.$/, '');
    const wantsAlias = question.type === recordTypes.CNAME || question.type === recordTypes.ANY;
    for (let hops = 0; hops < maxAliases; hops++) {
      records.push(nameRecord(owner, recordTypes.CNAME, target, ttls.service));
      if (wantsAlias) return rendered(question, isUdp, 0, records);
      const place = places.find(target);
      if (place.kind === 'elsewhere' || place.kind === 'reverse') return { kind: 'alias', records, target };
      const found = place.below === undefined ? undefined : zone.find(place.below);
      if (found?.kind === 'service' && found.entry.records.externalName !== undefined) {
        owner = target;
        target = found.entry.records.externalName.toLowerCase().replace(/\.$/, '');
        continue;
      }
      const isKnown = found?.kind === 'service' || found?.kind === 'endpoint';
      const behind =
        found?.kind === 'service' ? found.entry.records.addresses : found?.kind === 'endpoint' ? found.addresses : [];
      const ttl = found?.kind === 'service' && !found.entry.records.isHeadless ? ttls.service : ttls.pod;
      const wanted = behind.flatMap((address) => {
        const data = addressData(address);
        return data?.type === question.type ? [{ name: target, ttl, ...data }] : [];
      });
      return rendered(question, isUdp, isKnown ? 0 : 3, [...records, ...wanted]);
    }
    return rendered(question, isUdp, 2, []);
  }

  /** Targets of a headless service are its endpoints by name, each with its address beside it. */
  function ports(
    question: Question,
    isUdp: boolean,
    zoneName: string,
    { name, records }: ServiceEntry,
    isWanted: (port: DnsPort) => boolean,
  ): Answer {
    if (question.type === recordTypes.ANY) return any(question, isUdp);
    if (question.type !== recordTypes.SRV) return empty(question, isUdp, zoneName);
    const ttl = records.isHeadless ? ttls.pod : ttls.service;
    const answers: ResourceRecord[] = [];
    const additional: ResourceRecord[] = [];
    const add = (target: string, behind: readonly string[], list: readonly DnsPort[]) => {
      const wanted = list.filter(isWanted);
      for (const { port } of wanted) answers.push(srvRecord(question.name, port, target, ttl));
      for (const address of wanted.length === 0 ? [] : behind) {
        const data = addressData(address);
        if (data) additional.push({ name: target, ttl, ...data });
      }
    };
    if (!records.isHeadless) add(`${name}.${domain}`, records.addresses, records.ports ?? []);
    else {
      for (const address of records.addresses) {
        const own = records.portsOf?.[address] ?? records.ports ?? [];
        add(`${endpointLabel(records, address)}.${name}.${domain}`, [address], own);
      }
    }
    if (answers.length === 0) return empty(question, isUdp, zoneName);
    return bytes(renderResponse(question, { code: 0, isUdp, answers, additional }));
  }

  function reverse(
    question: Question,
    isUdp: boolean,
    place: Extract<Place, { kind: 'reverse' }>,
    zone: ZoneIndex | undefined,
  ): Answer {
    const owner = zone?.ownerOf(place.address);
    if (owner === undefined) {
      if (!place.isOurs) return { kind: 'elsewhere' };
      return zone ? absent(question, isUdp, place.zone) : { kind: 'unknown' };
    }
    const isAsked = question.type === recordTypes.PTR || question.type === recordTypes.ANY;
    if (!isAsked) return empty(question, isUdp, place.zone);
    return rendered(question, isUdp, 0, [nameRecord(question.name, recordTypes.PTR, `${owner}.${domain}`, ttls.pod)]);
  }
}

function preparedOf(entry: ServiceEntry): Map<number, readonly Buffer[]> {
  if (entry.prepared) return entry.prepared;
  const ttl = entry.records.isHeadless ? ttls.pod : ttls.service;
  const prepared = new Map<number, Buffer[]>();
  for (const address of entry.records.addresses) {
    const known = addressData(address);
    if (!known) continue;
    const records = prepared.get(known.type) ?? [];
    records.push(prepareRecord(known.type, ttl, known.data));
    prepared.set(known.type, records);
  }
  entry.prepared = prepared;
  return prepared;
}

function addresses(question: Question, isUdp: boolean, zoneName: string, list: readonly string[]): Answer {
  const records = list.flatMap((address) => {
    const known = addressData(address);
    const isWanted = known?.type === question.type || question.type === recordTypes.ANY;
    return known && isWanted ? [{ name: question.name, ttl: ttls.pod, ...known }] : [];
  });
  return records.length > 0 ? rendered(question, isUdp, 0, records) : empty(question, isUdp, zoneName);
}

function apex(question: Question, isUdp: boolean, zoneName: string): Answer {
  if (question.type === recordTypes.ANY) return any(question, isUdp);
  if (question.type === recordTypes.SOA) return rendered(question, isUdp, 0, [soaRecord(zoneName)]);
  if (question.type === recordTypes.NS) {
    return rendered(question, isUdp, 0, [
      nameRecord(question.name, recordTypes.NS, `ns.dns.${zoneName}`, ttls.service),
    ]);
  }
  return empty(question, isUdp, zoneName);
}

function empty(question: Question, isUdp: boolean, zoneName: string): Answer {
  if (question.type === recordTypes.ANY) return any(question, isUdp);
  return bytes(renderResponse(question, { code: 0, isUdp, authority: soaRecord(zoneName) }));
}

function absent(question: Question, isUdp: boolean, zoneName: string): Answer {
  return bytes(renderResponse(question, { code: 3, isUdp, authority: soaRecord(zoneName) }));
}

function any(question: Question, isUdp: boolean): Answer {
  return rendered(question, isUdp, 0, [minimalAnyRecord(question.name)]);
}

function rendered(question: Question, isUdp: boolean, code: ResponseCode, answers: readonly ResourceRecord[]): Answer {
  return bytes(renderResponse(question, { code, isUdp, answers }));
}

function bytes(packet: Buffer): Answer {
  return { kind: 'bytes', packet };
}

import type { DnsAddress, DnsServer, DnsSettings, DnsZone, DnsZoneChange } from '../../adapters/dns/port.ts';
import { objectKey } from '../../client/paths.ts';
import type { GridNetwork } from '../../resources/grid-network.ts';
import type { EndpointSlice, Service } from '../../resources/kinds.ts';

/** DNS of this node, wherever it runs. */
export interface NodeDns extends DnsServer {
  /** Listens there and nowhere else: no question is lost on an address that stays. */
  configure(settings: DnsSettings, addresses: readonly DnsAddress[]): Promise<void>;
}

/** Service objects and slices → names, one change at a time; `key`: `<namespace>/<name>`. */
export interface ZoneSource {
  setService(key: string, service: Service | undefined): void;
  setSlice(key: string, slice: EndpointSlice | undefined): void;
  /** What became different since the last call; undefined: nothing. */
  changes(): DnsZoneChange | undefined;
  /** All of it, up to the last `changes`. */
  zone(): DnsZone;
}

export interface NodeNamesOptions {
  readonly startDns: (settings: DnsSettings, addresses: readonly DnsAddress[]) => Promise<NodeDns>;
  readonly createZone: () => ZoneSource;
  readonly grid: string;
  /** `cluster.local` */
  readonly domain: string;
  readonly port: number;
}

/** Names for the pods of this node, on the gateway of its bridge. */
export interface NodeNames {
  /** All there are: what was on disk, or the first whole list of a server. */
  replace(services: Iterable<Service>, slices: Iterable<EndpointSlice>): void;
  setService(key: string, service: Service | undefined): void;
  setSlice(key: string, slice: EndpointSlice | undefined): void;
  /** The gateway is there, perhaps another one. Throws when DNS cannot be answered there yet. */
  listen(gateway: string, network: GridNetwork): Promise<void>;
  /** Resolves when names follow what was set before; before there is a gateway nobody asks. */
  apply(revision: number): Promise<void>;
  stats(): { readonly queries: number; readonly forwarded: number; readonly failures: number } | undefined;
  stop(): Promise<void>;
}

export function createNodeNames(options: NodeNamesOptions): NodeNames {
  const { grid, domain, port } = options;
  let zone = options.createZone();
  /** Nothing is told before something is known: names of a process that is found stay until then. */
  let isKnown = false;
  let isWholeTold = false;
  let lastRevision = 0;
  let dns: NodeDns | undefined;
  let listening = '';

  const tell = async () => {
    if (!dns || !isKnown) return;
    const change = zone.changes();
    const revision = String(lastRevision);
    if (isWholeTold && !change) return;
    const isWhole = !isWholeTold;
    isWholeTold = false; // what fails is told whole the next time
    await (isWhole ? dns.apply(zone.zone(), revision) : change && dns.change(change, revision));
    isWholeTold = true;
  };

  return {
    replace(services, slices) {
      zone = options.createZone();
      isKnown = true;
      isWholeTold = false;
      for (const one of services) zone.setService(objectKey(one), one);
      for (const one of slices) zone.setSlice(objectKey(one), one);
    },
    setService: (key, service) => zone.setService(key, service),
    setSlice: (key, slice) => zone.setSlice(key, slice),
    async listen(gateway, { podRange, serviceRange }) {
      const wanted = `${gateway} ${podRange} ${serviceRange}`;
      if (wanted === listening) return;
      const settings: DnsSettings = { domain, gridDomain: `${grid}.flotilla.local`, podRange, serviceRange };
      const addresses = [{ address: gateway, port }];
      if (dns) await dns.configure(settings, addresses);
      else dns = await options.startDns(settings, addresses);
      listening = wanted;
      await tell();
    },
    apply(revision) {
      lastRevision = revision;
      return tell();
    },
    stats: () => dns?.stats(),
    stop: async () => dns?.stop(),
  };
}

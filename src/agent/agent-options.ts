import type { Logger } from '../lib/log.ts';

/** What an agent is told when it starts. */
export interface AgentOptions {
  /** Identity, state and files of pods. Made when missing. */
  readonly dataDirectory: string;
  /** `https://host:port`; further ones are learned from them and remembered. Needed for the first start only. */
  readonly servers: readonly string[];
  /** `flj1.…`; needed until the node has its certificate. */
  readonly token?: string;
  /** Default: the host's name. Kept once joined. */
  readonly nodeName?: string;
  /** Default `/run/docker.sock`. */
  readonly dockerSocket?: string;
  /** By which other nodes reach this one, on interfaces of this host. Default: the address of the route to the first server. */
  readonly addresses?: readonly string[];
  /** Whose first address it is, where no address is given. */
  readonly interfaceName?: string;
  /** Instead of what the engine says. */
  readonly capacity?: { readonly cpuMillis?: number; readonly memoryBytes?: number; readonly pods?: number };
  /** Where DNS listens on the bridge. Default 53. */
  readonly dnsPort?: number;
  /** Where nodes of other regions, or from outside a NAT, reach this one. Default: as servers see it. */
  readonly externalAddress?: string;
  /** Default `flotilla` and `fl0`; others only where two agents share one engine, in tests. */
  readonly networkName?: string;
  readonly bridgeName?: string;
  /** Labels of the Node object besides our own, when it is made. */
  readonly labels?: Readonly<Record<string, string>>;
  /** `/metrics` also on 127.0.0.1 with this port. Default: only through the tunnel. */
  readonly metricsPort?: number;
  /** For the handshake and the Node object. Default: that of the package. */
  readonly version?: string;
  /** Default: JSON lines on standard error. */
  readonly log?: Logger;
}

/** The same with the defaults that every part needs. */
export type AgentSettings = AgentOptions & Required<Pick<AgentOptions, 'version' | 'log'>>;

export interface RunningAgent {
  readonly nodeName: string;
  readonly grid: string;
  /** Containers go on running. */
  stop(): Promise<void>;
  /**
   * The host is going down: other nodes take over what they can, then all that is left is withdrawn and stopped. Bounded; `stop` comes
   * after it.
   */
  endHost(): Promise<void>;
}

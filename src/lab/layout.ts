import { FlotillaError } from '../lib/errors.ts';
import type { GridIngressSpec } from '../resources/grid-ingress.ts';
import type { GridNetworkSpec } from '../resources/grid-network.ts';

/**
 * Where everything of a lab is and what it is called. All of it follows from the lab's name and network, so that `down`
 * finds what a crashed `up` made without any record of it.
 */
export interface LabLayout {
  readonly name: string;
  /** A /24, `10.99.0.0/24`. */
  readonly network: string;
  readonly hosts: readonly MachineLayout[];
  readonly servers: readonly MachineLayout[];
  /** The namespace with the bridge that joins all, and the registry. */
  readonly switch: { readonly namespace: string; readonly address: string; readonly directory: string };
  /** The link between the switch and the machine itself. */
  readonly uplink: { readonly link: string; readonly address: string };
  readonly registry: string;
  readonly directory: string;
  /** False: hosts with Docker only, for tests of what stands on Docker alone. */
  readonly withFlotilla: boolean;
  /** What its servers are told about the network of the grid. Its own hosts trust each other where nothing is said. */
  readonly grid: GridNetworkSpec;
  /** What they are told about the way in. Services get names below `localhost` where nothing is said. */
  readonly ingress: GridIngressSpec;
}

/** One "machine" of a lab: `h1` runs dockerd and an agent, `s1` a server. */
export interface MachineLayout {
  readonly name: string;
  readonly role: 'host' | 'server';
  readonly namespace: string;
  /** On the switch; behind a NAT it is the router's. */
  readonly address: string;
  readonly nat?: NatLayout;
  readonly mac: string;
  /** Its end in the switch, `p-h1`: down when the cable is cut. */
  readonly port: string;
  readonly cgroup: string;
  /** Its disk: what stays when the power is cut. */
  readonly directory: string;
}

/** A router of a host's own, which stands between it and the switch and lets nobody in who was not asked for. */
export interface NatLayout {
  readonly namespace: string;
  /** What the host itself has; /24, alike behind every router, as at home. */
  readonly insideAddress: string;
  readonly routerAddress: string;
}

export interface LayoutOptions {
  readonly name: string;
  readonly network: string;
  readonly hosts: number;
  readonly servers: number;
  /** Holds one directory a lab. */
  readonly root: string;
  readonly flotilla: boolean;
  /** Names of hosts that stand behind a router of their own. Default: none. */
  readonly natHosts?: readonly string[];
  /** As it was asked for. */
  readonly grid?: GridNetworkSpec;
  readonly ingress?: GridIngressSpec;
}

export const maxHosts = 200;
export const maxServers = 5;
const firstServer = 241;
const uplinkHost = 253;
const switchHost = 254;
const registryPort = 5000;

/** Throws FlotillaError BadUsage that names the option at fault. */
export function planLayout(options: LayoutOptions): LabLayout {
  const { name, network } = options;
  requireLabName(name);
  requireCount('hosts', options.hosts, maxHosts);
  requireCount('servers', options.servers, maxServers);
  const prefix = parseNetwork(network);
  const directory = `${options.root}/${name}`;
  const natHosts = new Set(options.natHosts);
  const machine = (role: MachineLayout['role'], index: number, lastOctet: number): MachineLayout => {
    const machineName = `${role === 'host' ? 'h' : 's'}${index}`;
    return {
      name: machineName,
      role,
      namespace: `${namespacePrefix(name)}${machineName}`,
      address: `${prefix}.${lastOctet}`,
      ...(natHosts.has(machineName) ? { nat: natOf(`${namespacePrefix(name)}${machineName}`) } : {}),
      mac: macOf(`${prefix}.${lastOctet}`),
      port: `p-${machineName}`,
      cgroup: `${namespacePrefix(name)}${machineName}`,
      directory: `${directory}/${machineName}`,
    };
  };
  const hosts = Array.from({ length: options.hosts }, (_, index) => machine('host', index + 1, index + 1));
  requireHosts(natHosts, hosts);
  return {
    name,
    network,
    hosts,
    servers: Array.from({ length: options.flotilla ? options.servers : 0 }, (_, index) =>
      machine('server', index + 1, firstServer + index),
    ),
    switch: {
      namespace: `${namespacePrefix(name)}sw`,
      address: `${prefix}.${switchHost}`,
      directory: `${directory}/sw`,
    },
    uplink: { link: `lab-${name}`, address: `${prefix}.${uplinkHost}` },
    registry: `${prefix}.${switchHost}:${registryPort}`,
    directory,
    withFlotilla: options.flotilla,
    // Who asks for a backend wants to see it between these hosts.
    grid: { trustedSubnets: options.grid?.overlay === undefined ? [network] : [], ...options.grid },
    ingress: { baseDomain: 'localhost', ...options.ingress },
  };
}

/** All namespaces and cgroups of a lab begin with this; no other lab's do (names have no dash). */
export function namespacePrefix(labName: string): string {
  return `fllab-${labName}-`;
}

/** Refuses a name that would not fit a link (15 bytes) or could be mistaken for another lab's. */
export function requireLabName(name: string): void {
  if (name === 'registry' || !/^[a-z][a-z0-9]{0,9}$/.test(name)) {
    throw new FlotillaError(
      'BadUsage',
      `lab name "${name}" cannot be used: 1 to 10 small letters and digits, not "registry"`,
      {
        hint: 'choose a name such as lab or lab2',
      },
    );
  }
}

function natOf(namespace: string): NatLayout {
  return { namespace: `${namespace}r`, insideAddress: '192.168.77.2', routerAddress: '192.168.77.1' };
}

function requireHosts(names: ReadonlySet<string>, hosts: readonly MachineLayout[]): void {
  const unknown = [...names].find((name) => !hosts.some((host) => host.name === name));
  if (unknown === undefined) return;
  throw new FlotillaError('BadUsage', `--nat-hosts: there is no host "${unknown}"`, {
    hint: `the hosts are ${hosts.map(({ name }) => name).join(', ')}`,
  });
}

function requireCount(option: string, value: number, max: number): void {
  if (!Number.isInteger(value) || value < 1 || value > max) {
    throw new FlotillaError('BadUsage', `--${option} is ${value}, which is not a whole number from 1 to ${max}`);
  }
}

/** First three octets of a /24 that touches neither the pods' nor the services' range. */
function parseNetwork(network: string): string {
  const hint = 'give a private /24 outside 10.80.0.0/12 and 10.96.0.0/16, such as 10.99.0.0/24';
  const match = /^((\d{1,3})\.(\d{1,3})\.(\d{1,3}))\.0\/24$/.exec(network);
  const octets = match?.slice(2).map(Number) ?? [];
  if (match === null || octets.some((octet) => octet > 255)) {
    throw new FlotillaError('BadUsage', `--network "${network}" is not an IPv4 /24`, { hint });
  }
  const [first, second] = octets;
  if (first === 10 && second !== undefined && ((second >= 80 && second <= 95) || second === 96)) {
    throw new FlotillaError('BadUsage', `--network ${network} lies in the range of pods or services`, { hint });
  }
  return match[1]!;
}

/** A power cycle keeps the address and the card: neighbours' ARP entries stay true. */
function macOf(address: string): string {
  const octets = address.split('.').map((octet) => Number(octet).toString(16).padStart(2, '0'));
  return ['02', 'fb', ...octets].join(':');
}

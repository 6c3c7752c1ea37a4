import { FlotillaError } from '../lib/errors.ts';
import { defaultGridNetwork, type GridNetwork, type GridNetworkSpec, gridNetworkErrors } from './grid-network.ts';

/** How one field of a grid's network is said on the command line; the same words for server, up, lab and grid. */
export interface NetworkFlag {
  readonly field: Exclude<keyof GridNetwork, 'overlayPort'>;
  /** As commander takes it: `--pod-range <cidr>`. */
  readonly usage: string;
  readonly description: string;
  /** Of a new cluster. */
  readonly fallback?: string | number;
  readonly isRepeatable: boolean;
}

export const networkFlags: readonly NetworkFlag[] = [
  flag('podRange', 'cidr', 'addresses of all pods'),
  flag('nodePrefixLength', 'bits', "size of each node's part of them"),
  flag('serviceRange', 'cidr', 'addresses of Service objects'),
  flag('nodePortRange', 'a-b', 'ports of Service objects on nodes'),
  flag('overlay', 'backend', 'wireguard, vxlan or host-gw between nodes'),
  list('trustedSubnets', 'cidr', 'nodes in this network route plainly; may be repeated'),
  list('loadBalancerPool', 'addresses', 'a network or a-b, for type LoadBalancer; may be repeated'),
];

function flag(field: keyof typeof defaultGridNetwork, value: string, description: string): NetworkFlag {
  const usage = `${networkFlagName(field)} <${value}>`;
  return { field, usage, description, fallback: defaultGridNetwork[field], isRepeatable: false };
}

/** `none`: an empty one. */
function list(field: 'trustedSubnets' | 'loadBalancerPool', value: string, description: string): NetworkFlag {
  return { field, usage: `${networkFlagName(field)} <${value}>`, description, isRepeatable: true };
}

/** `--pod-range`, `--node-prefix`: the option that says a field. */
export function networkFlagName(field: keyof GridNetwork): string {
  const words = { nodePrefixLength: 'nodePrefix', trustedSubnets: 'trustedSubnet' } as const;
  const word = words[field as keyof typeof words] ?? field;
  return `--${word.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** As commander gives them: `podRange`, `nodePrefix`, `trustedSubnet`; absent: not said. */
export type NetworkFlags = Readonly<Partial<Record<string, unknown>>>;

/** What was said, nothing else; the server checks it, which knows the rest. Throws BadUsage. */
export function parseNetworkFlags(flags: NetworkFlags): GridNetworkSpec {
  const said: Record<string, unknown> = {};
  for (const { field, isRepeatable } of networkFlags) {
    const key = networkFlagName(field)
      .slice(2)
      .replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const value = flags[key];
    if (value === undefined || (isRepeatable && Array.isArray(value) && value.length === 0)) continue;
    const isNone = isRepeatable && Array.isArray(value) && value.length === 1 && value[0] === 'none';
    said[field] = isNone ? [] : field === 'nodePrefixLength' ? bitsOf(String(value)) : value;
  }
  return said as GridNetworkSpec;
}

/** What was said of a new cluster, nothing else. Throws BadUsage that names the option at fault. */
export function readNetworkFlags(flags: NetworkFlags): GridNetworkSpec {
  const spec = parseNetworkFlags(flags);
  const [error] = gridNetworkErrors(spec, '');
  if (error) {
    const field = (/^\.(\w+)/.exec(error.field)?.[1] ?? 'podRange') as keyof GridNetwork;
    throw new FlotillaError('BadUsage', `${networkFlagName(field)}: ${error.message}`, { hint: hintOf(field) });
  }
  return spec;
}

/** The options that say a network again, for a service that is started later. */
export function networkArgs(spec: GridNetworkSpec): string[] {
  return networkFlags.flatMap(({ field }) => {
    const value = spec[field];
    if (value === undefined) return [];
    return [value].flat().flatMap((one) => [networkFlagName(field), String(one)]);
  });
}

function bitsOf(text: string): number {
  const bits = text.replace(/^\//, '');
  if (/^\d{1,2}$/.test(bits)) return Number(bits);
  throw new FlotillaError('BadUsage', `--node-prefix "${text}" is no number of bits`, { hint: '--node-prefix 24' });
}

function hintOf(field: keyof GridNetwork): string {
  const found = networkFlags.find((one) => one.field === field);
  return found ? `${found.usage}: ${found.description}` : 'flotilla server --help';
}

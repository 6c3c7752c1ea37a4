import { type Exec, exec as run } from '../../../lib/exec.ts';

/** Who listens on TCP. */
export interface Listening {
  /** `0.0.0.0`, `::`, `*` or an address. */
  readonly address: string;
  readonly port: number;
  readonly holders: readonly { readonly name: string; readonly pid: number }[];
}

/** Out of `ss -Hlntp`. */
export function parseListening(printed: string): readonly Listening[] {
  return printed.split('\n').flatMap((line) => {
    const [, , , local = ''] = line.trim().split(/\s+/);
    const [, address = '', port = ''] = /^(.*):(\d+)$/.exec(local) ?? [];
    if (port === '') return [];
    const holders = [...line.matchAll(/\("([^"]*)",pid=(\d+),/g)].map(([, name = '', pid]) => ({
      name,
      pid: Number(pid),
    }));
    return [{ address: address.replace(/^\[|\]$|%.*$/g, ''), port: Number(port), holders }];
  });
}

export interface PortsInput {
  readonly ports: readonly number[];
  /** Where we are going to listen. */
  readonly addresses: readonly string[];
  /** Processes of ours. */
  readonly ours: ReadonlySet<number>;
}

/** By port: who has it, one sentence each. Pure. */
export function takenPorts(
  listening: readonly Listening[],
  { ports, addresses, ours }: PortsInput,
): ReadonlyMap<number, string> {
  const isAny = (address: string) => ['*', '0.0.0.0', '::'].includes(address);
  const meets = (address: string) =>
    isAny(address) ||
    addresses.some((own) => own === address || (isAny(own) && own.includes(':') === address.includes(':')));
  const taken = new Map<number, string>();
  for (const { address, port, holders } of listening) {
    const isOurs = holders.length > 0 && holders.every(({ pid }) => ours.has(pid));
    if (isOurs || !ports.includes(port) || !meets(address) || taken.has(port)) continue;
    const who = holders.map(({ name, pid }) => `${name} (process ${pid})`).join(', ') || 'a process of another user';
    taken.set(port, `port ${port} is taken by ${who}, which listens on ${address}:${port}`);
  }
  return taken;
}

export async function observeListening(exec: Exec = run): Promise<readonly Listening[]> {
  const { stdout } = await exec(['ss', '-Hlntp']);
  return parseListening(stdout);
}

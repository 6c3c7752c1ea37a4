import { createHash } from 'node:crypto';
import { ensureDockerUserChain, isDockerUserChainReached } from '../../lib/docker-user-chain.ts';
import type { Exec } from '../../lib/exec.ts';
import { vxlanDevice, wireguardDevice } from './devices.ts';
import type { OverlayState } from './port.ts';

const comment = 'flotilla pod range';
export const overlayTable = 'flotilla_overlay';

/**
 * One table, replaced as a whole in one transaction: pods keep their address inside the range and lose it outside; TCP through a
 * tunnel never asks for larger segments than fit, whatever MTU a pod has and whoever filters ICMP.
 */
export function renderNft(desired: OverlayState): string {
  const tunnels = `{ "${vxlanDevice}", "${wireguardDevice}" }`;
  const clamp = 'tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu';
  const chains = `  chain forward {
    type filter hook forward priority mangle; policy accept;
    oifname ${tunnels} ${clamp}
    iifname ${tunnels} ${clamp}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${desired.self.podCIDR} ip daddr != ${desired.podRange} oifname != "${desired.self.bridgeName}" masquerade comment "pods reach the outside"
  }
`;
  return `table ip ${overlayTable} {}
delete table ip ${overlayTable}
table ip ${overlayTable} {
  chain ${markOf(chains)} {
  }
${chains}}
`;
}

/** An empty chain whose name says which rules stand beside it: it goes with them in `nft flush ruleset`. */
function markOf(chains: string): string {
  return `state_${createHash('sha256').update(chains).digest('hex').slice(0, 16)}`;
}

export function markOfTable(nft: string): string {
  return /chain (state_[0-9a-f]{16}) /.exec(nft)?.[1] ?? '';
}

/** What is there of the table, of the accept for its range, and of forwarding as such. */
export interface ObservedFirewall {
  /** Names of the table's chains, each with the number of its rules. */
  readonly chains: ReadonlyMap<string, number>;
  /** Ranges that our rules in DOCKER-USER accept, in order; none while no packet gets there. */
  readonly acceptedRanges: readonly string[];
  readonly isForwarding: boolean;
}

const rulesPerChain: ReadonlyMap<string, number> = new Map([
  ['forward', 2],
  ['postrouting', 1],
]);

export async function observeFirewall(exec: Exec): Promise<ObservedFirewall> {
  const [table, userChain, isReached, forwarding] = await Promise.all([
    exec(['nft', 'list', 'table', 'ip', overlayTable], { okCodes: [0, 1] }),
    // Exit code 1: no such chain (an engine that has not started yet takes over the one we make).
    exec(['iptables', '-w', '5', '-S', 'DOCKER-USER'], { okCodes: [0, 1] }),
    isDockerUserChainReached(exec),
    exec(['cat', '/proc/sys/net/ipv4/ip_forward']),
  ]);
  return {
    chains: parseChains(table.stdout),
    acceptedRanges: isReached ? ownRules(userChain.stdout).map((rule) => rule[rule.indexOf('-s') + 1] ?? '') : [],
    isForwarding: forwarding.stdout.trim() === '1',
  };
}

/** Of `nft list table`: older releases cannot print rules with options they do not know as JSON. */
function parseChains(text: string): ReadonlyMap<string, number> {
  const chains = new Map<string, number>();
  let chain = '';
  for (const line of text.split('\n').map((each) => each.trim())) {
    const name = /^chain (\S+) \{/.exec(line)?.[1];
    if (name !== undefined) {
      chain = name;
      chains.set(name, 0);
    } else if (chain !== '' && !/^(type |\}|$)/.test(line)) {
      chains.set(chain, (chains.get(chain) ?? 0) + 1);
    }
  }
  return chains;
}

export function isTableWhole(nft: string, { chains }: ObservedFirewall): boolean {
  return chains.has(markOfTable(nft)) && [...rulesPerChain].every(([name, rules]) => chains.get(name) === rules);
}

/** An accept anywhere else does not override the DROP of Docker's FORWARD policy. */
export async function acceptForwarding(exec: Exec, range: string): Promise<void> {
  await removeForwarding(exec);
  await ensureDockerUserChain(exec);
  const rule = ['-s', range, '-d', range, '-m', 'comment', '--comment', comment, '-j', 'ACCEPT'];
  await exec(['iptables', '-w', '5', '-I', 'DOCKER-USER', ...rule]);
}

export async function removeForwarding(exec: Exec): Promise<void> {
  const { stdout } = await exec(['iptables', '-w', '5', '-S', 'DOCKER-USER'], { okCodes: [0, 1] });
  for (const rule of ownRules(stdout)) await exec(['iptables', '-w', '5', '-D', 'DOCKER-USER', ...rule]);
}

/** Of `iptables -S`; each as the words that delete it. */
function ownRules(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.includes(`--comment "${comment}"`))
    .map((line) => {
      const words = line.replace(/^-A DOCKER-USER /, '').match(/"[^"]*"|\S+/g) ?? [];
      return words.map((word) => word.replace(/^"|"$/g, ''));
    });
}

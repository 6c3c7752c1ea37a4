import { contains, parseCidr, parseIPv4 } from '../../lib/cidr.ts';
import { planPolicyTable } from './plan.ts';
import type { ConnectionRule, PeerNetwork, PolicyEnforcer, PolicyRules, PolicyState } from './port.ts';
import { type Direction, emptyRuleset, rulesetOf } from './ruleset.ts';

/** A connection that begins: addresses of pods, after any service address was replaced. */
export interface Attempt {
  readonly from: string;
  readonly to: string;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly port: number;
}

export interface FakePolicyEnforcer extends PolicyEnforcer {
  /** What was applied last; undefined after `cleanup`. */
  readonly applied: () => PolicyState | undefined;
  /** Whether this host lets it through. */
  allows(attempt: Attempt): boolean;
  /** The next `apply` throws this. */
  failNext(error: Error): void;
  /** Somebody took the rules away. */
  drift(): void;
}

/** In memory; what cannot be rendered for the kernel fails here as well. */
export function createFakePolicyEnforcer(): FakePolicyEnforcer {
  let applied: PolicyState | undefined;
  let failure: Error | undefined;
  let hasDrifted = false;
  return {
    apply: async (state) => {
      const thrown = failure;
      failure = undefined;
      if (thrown) throw thrown;
      planPolicyTable(emptyRuleset, rulesetOf(state));
      applied = state;
      hasDrifted = false;
    },
    hasDrifted: async () => hasDrifted,
    cleanup: async () => {
      applied = undefined;
    },
    applied: () => applied,
    allows: (attempt) => hasDrifted || !applied || stateAllows(applied, attempt),
    failNext: (error) => {
      failure = error;
    },
    drift: () => {
      hasDrifted = true;
    },
  };
}

/** What a state means for one connection. */
export function stateAllows(state: PolicyState, attempt: Attempt): boolean {
  const { from, to } = attempt;
  if (from === to) return true;
  const isFree = (policies: readonly PolicyRules[] | undefined, direction: Direction) =>
    !policies || policies.some(({ rules }) => rules.some((rule) => ruleAllows(state, rule, attempt, direction)));
  return isFree(state.pods.get(from)?.egress, 'egress') && isFree(state.pods.get(to)?.ingress, 'ingress');
}

function ruleAllows(
  state: PolicyState,
  { peer, ports }: ConnectionRule,
  attempt: Attempt,
  direction: Direction,
): boolean {
  const { from, to, protocol, port } = attempt;
  if (peer.type === 'endpoints') {
    const isWithin = !peer.within || isInNetwork(to, peer.within);
    return isWithin && (state.endpoints.get(peer.endpoints)?.has(`${to} ${protocol} ${port}`) ?? false);
  }
  const other = direction === 'ingress' ? from : to;
  if (peer.type === 'group' && !state.groups.get(peer.group)?.has(other)) return false;
  if (peer.type === 'network' && !isInNetwork(other, peer)) return false;
  if (!ports) return true;
  return ports.some(
    ({ protocol: wanted, first, last = first }) =>
      wanted === protocol && (first === undefined || (port >= first && port <= (last ?? first))),
  );
}

function isInNetwork(address: string, { cidr, except }: PeerNetwork): boolean {
  return isIn(address, cidr) && !except.some((one) => isIn(address, one));
}

function isIn(address: string, cidr: string): boolean {
  const [network, value] = [parseCidr(cidr), parseIPv4(address)];
  return network !== undefined && value !== undefined && contains(network, value);
}

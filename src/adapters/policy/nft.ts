import type { Exec } from '../../lib/exec.ts';
import type { Logger } from '../../lib/log.ts';
import { elementsOf, isSameShape, parseElements, parseTableShape, shapeOf } from './observe.ts';
import { hasPods, planPolicyTable, policyTable } from './plan.ts';
import type { PolicyEnforcer } from './port.ts';
import { type Ruleset, rulesetOf } from './ruleset.ts';

export interface NftPolicyOptions {
  readonly exec: Exec;
  readonly log: Logger;
}

/** Without it pods of one bridge talk past all rules; a setting of the network namespace, there when br_netfilter is loaded. */
const bridgeSetting = '/proc/sys/net/bridge/bridge-nf-call-iptables';
const applyTimeoutMs = 30_000;

/**
 * A table of its own on the forward hook, before Docker's chains: verdict maps from pod addresses to chains, a chain a policy,
 * a set a group of peers. Service addresses are pod addresses by then, and sources are still the ones that called.
 */
export function createNftPolicyEnforcer({ exec, log }: NftPolicyOptions): PolicyEnforcer {
  /** What the kernel has; undefined: unknown. */
  let applied: Ruleset | undefined;
  let wasApplied = false;
  let nextCheck = 0;

  return {
    apply: async (state) => {
      const desired = rulesetOf(state);
      const text = planPolicyTable(applied, desired);
      if (text === '') return;
      if (hasPods(desired) && (applied === undefined || !hasPods(applied))) await showBridgedTraffic(exec);
      applied = undefined;
      await exec(['nft', '-f', '-'], { stdin: text, timeoutMs: applyTimeoutMs });
      applied = desired;
      wasApplied = true;
      log.debug('network policies changed', { pods: state.pods.size, bytes: text.length });
    },
    hasDrifted: async () => {
      if (!applied) return wasApplied;
      const isSame = hasPods(applied) ? await isAsApplied(applied) : !(await listTable(exec)).isThere;
      if (!isSame) applied = undefined;
      return !isSame;
    },
    cleanup: async () => {
      applied = undefined;
      wasApplied = false;
      await exec(['nft', '-f', '-'], { stdin: `table ip ${policyTable} {}\ndelete table ip ${policyTable}\n` });
    },
  };

  /** Names and rules of all, and the elements of one set or map: the next one at the next call. */
  async function isAsApplied(ruleset: Ruleset): Promise<boolean> {
    const { stdout: setting } = await exec(['cat', bridgeSetting], { okCodes: [0, 1] });
    if (setting.trim() !== '1') return false;
    const { isThere, json } = await listTable(exec);
    if (!isThere || !isSameShape(parseTableShape(json), shapeOf(ruleset))) return false;
    const all = elementsOf(ruleset);
    const one = all[nextCheck++ % all.length];
    if (!one) return true;
    const [type, name, members] = one;
    const { stdout, code } = await exec(['nft', '-j', 'list', type, 'ip', policyTable, name], { okCodes: [0, 1] });
    if (code !== 0) return false;
    const observed = parseElements(stdout);
    return observed.size === members.size && [...members].every((one) => observed.has(one));
  }
}

async function listTable(exec: Exec): Promise<{ readonly isThere: boolean; readonly json: string }> {
  const { stdout, code } = await exec(['nft', '-j', '-t', 'list', 'table', 'ip', policyTable], { okCodes: [0, 1] });
  return { isThere: code === 0, json: stdout };
}

async function showBridgedTraffic(exec: Exec): Promise<void> {
  const { stdout, code } = await exec(['cat', bridgeSetting], { okCodes: [0, 1] });
  if (stdout.trim() === '1') return;
  if (code !== 0) await exec(['modprobe', 'br_netfilter']);
  await exec(['tee', bridgeSetting], { stdin: '1\n' });
}

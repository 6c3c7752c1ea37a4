import type { Exec } from './exec.ts';

const iptables = ['iptables', '-w', '5'];
const jump = ['FORWARD', '-j', 'DOCKER-USER'];

/**
 * Docker's chain for the rules of others, in iptables: an accept anywhere else does not override the DROP of its FORWARD policy.
 * True when it is there and packets get to it: they do not after somebody flushed the rules, until the engine is started again.
 */
export async function isDockerUserChainReached(exec: Exec): Promise<boolean> {
  // Exit codes 1 and 2: no such rule, no such chain.
  return (await exec([...iptables, '-C', ...jump], { okCodes: [0, 1, 2] })).code === 0;
}

/** Makes it as Docker does, which takes over what it finds. */
export async function ensureDockerUserChain(exec: Exec): Promise<void> {
  await exec([...iptables, '-N', 'DOCKER-USER'], { okCodes: [0, 1] });
  if (!(await isDockerUserChainReached(exec))) await exec([...iptables, '-I', ...jump]);
}

import type { Applied } from './applied.ts';
import type { Node } from './kinds.ts';
import { nodeConditions } from './names.ts';

/** Why a node has the condition NetworkBehind. */
export const behindReasons = {
  /** Its names and service addresses may lead to instances that have gone. */
  network: 'ChangesNotApplied',
  /** Only its proxy does not follow: what runs on it is as good as before. */
  proxy: 'ProxyDoesNotFollow',
} as const;

/** What a node tells as its problem when only its proxy has one. */
export function proxyProblemText(problem: string): string {
  return `the proxy does not follow: ${problem}`;
}

export function behindReasonOf({ problem, ingress }: Applied): string {
  const isProxyAlone = ingress?.problem !== undefined && problem === proxyProblemText(ingress.problem);
  return isProxyAlone ? behindReasons.proxy : behindReasons.network;
}

/** Its names and service addresses do not follow: its instances are used last. */
export function isNetworkBehind(node: Node): boolean {
  const found = node.status?.conditions?.find(({ type }) => type === nodeConditions.networkBehind);
  return found?.status === 'True' && found.reason !== behindReasons.proxy;
}

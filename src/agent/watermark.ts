import type { Applied, IngressApplied } from '../resources/applied.ts';
import { proxyProblemText } from '../resources/network-behind.ts';

/** How far the proxy of this node is; `unknown`: nobody has said yet whether it is to have one. */
export type ProxyProgress =
  | 'unknown'
  | 'none'
  | {
      /** Of EndpointSlices, as the network's. */
      readonly revision: number;
      readonly ingress: IngressApplied;
    };

/**
 * What a node tells: a change counts when names, service addresses and proxy all follow it. Where one of them cannot, the
 * node is not waited for.
 */
export function combineApplied(network: Applied, proxy: ProxyProgress): Applied {
  // One of an earlier run may still send connections to pods that have gone.
  if (proxy === 'unknown') return { ...network, revision: 0 };
  if (proxy === 'none') return network;
  const { revision, ingress } = proxy;
  const problem = network.problem ?? (ingress.problem === undefined ? undefined : proxyProblemText(ingress.problem));
  return {
    revision: Math.min(network.revision, revision),
    ...(problem === undefined ? {} : { problem }),
    ingress,
  };
}

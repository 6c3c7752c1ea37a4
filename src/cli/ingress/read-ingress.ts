import type { HttpClient } from '../../client/http-client.ts';
import { certificates, ingresses } from '../../resources/kinds.ts';
import { askIngress } from './ask-ingress.ts';
import type { IngressFacts } from './ingress-rows.ts';

export async function readIngress(client: HttpClient): Promise<IngressFacts> {
  const [objects, made, reports] = await Promise.all([
    client.list(ingresses),
    client.list(certificates),
    askIngress(client),
  ]);
  return { ingresses: objects.items, certificates: made.items, reports, nowMs: Date.now() };
}

/** Said where no node is an ingress node. */
export const noProxies = 'no node lets traffic in; flotilla node label NODE flotilla.dev/ingress=true makes one do so';

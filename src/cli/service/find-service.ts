import type { Client } from '../../client/client.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { type Deployment, deployments, type Stack, stacks } from '../../resources/kinds.ts';
import { objectName } from '../../stack/object-names.ts';
import { findScaleTarget } from '../workload/instances.ts';

/** A service as what runs it: of a stack, or a Deployment that no stack made. */
export interface FoundService {
  /** `shop/web`, `default/web`. */
  readonly name: string;
  readonly deployment: Deployment;
  readonly stack?: Stack;
}

/** `web`, `shop/web`. Throws NotFound, and BadUsage when several are called so, or when it runs once and has nothing to roll. */
export async function findService(client: Client, target: string): Promise<FoundService> {
  const [allStacks, allDeployments] = await Promise.all([client.list(stacks), client.list(deployments)]);
  const found = findScaleTarget(allStacks.items, allDeployments.items, target);
  if (found.type === 'deployment') {
    return { name: `default/${found.deployment.metadata.name}`, deployment: found.deployment };
  }
  const { stack, service } = found;
  const { namespace, name } = stack.metadata;
  const deployment = allDeployments.items.find(
    ({ metadata }) => metadata.namespace === namespace && metadata.name === objectName(service),
  );
  if (deployment) return { name: `${name}/${service}`, deployment, stack };
  const restart = stack.spec.services[service]?.restart ?? 'always';
  const isOnce = restart !== 'always';
  throw new FlotillaError(
    isOnce ? 'BadUsage' : 'NotFound',
    isOnce
      ? `service ${name}/${service} runs once (restart: "${restart}")`
      : `service ${name}/${service} was not made yet`,
    { hint: isOnce ? 'deploy the stack with another version of it' : `flotilla stack show ${name}` },
  );
}

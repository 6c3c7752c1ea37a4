import { backendsOf } from '../../resources/ingress-facts.ts';
import { isOurIngress } from '../../resources/is-our-ingress.ts';
import {
  ingressClasses as classKind,
  type Ingress,
  type IngressClass,
  ingresses as ingressKind,
  type Node,
  nodes as nodeKind,
  services as serviceKind,
} from '../../resources/kinds.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { createObjectWriter } from '../object-writer.ts';
import { keyOf } from '../owners.ts';
import { startReconciler } from '../reconciler.ts';
import { isSame } from '../same.ts';
import { letsIn, statusOf } from './plan.ts';

/** Says where Ingress objects are reached, and what keeps them from being served. Writes: Ingress.status, of our classes. */
export function startIngressController(context: ControllerContext): RunningController {
  const { client, clock, events, informers, liveness } = context;
  const { grid } = client;
  const ingresses = informers.of(ingressKind);
  const classes = informers.of(classKind);
  const services = informers.of(serviceKind);
  const nodes = informers.of(nodeKind);
  const writer = createObjectWriter(client);
  ingresses.index('service', servicesOf);

  const queue = startReconciler({ name: 'ingress', context, reconcile });
  const all = () => {
    for (const ingress of ingresses.list()) queue.add(keyOf(ingress));
  };
  ingresses.onChange((key) => queue.add(key));
  services.onChange((key) => {
    for (const ingress of ingresses.byIndex('service', key)) queue.add(keyOf(ingress));
  });
  nodes.onChange((_key, node, old) => {
    if (!isSame(seenOf(node), seenOf(old))) all();
  });
  classes.onChange(all);
  const stopFollowing = liveness.onIngressProblems((of, keys) => {
    if (of === grid) for (const key of keys) queue.add(key);
  });

  async function reconcile(key: string, signal: AbortSignal): Promise<void> {
    const ingress = ingresses.get(key);
    if (!ingress || ingress.metadata.deletionTimestamp || !isOurIngress(ingress, classesByName())) return;
    const letting = [...nodes.list()].filter(letsIn);
    const { status, warning } = statusOf({
      ingress,
      nodes: letting,
      service: (name) => services.get(`${ingress.metadata.namespace ?? ''}/${name}`),
      told: letting.flatMap(({ metadata: { name: node } }) =>
        liveness
          .ingressProblemsOf(grid, node)
          .filter((one) => one.ingress === key)
          .map(({ message }) => ({ node, message })),
      ),
      nowMs: clock.wallMs(),
    });
    if (isSame(status, ingress.status)) return;
    await writer.updateStatus(ingresses, { ...ingress, status }, signal);
    if (warning) events.record(ingress, 'Warning', warning.reason, warning.message);
  }

  function classesByName(): ReadonlyMap<string, IngressClass> {
    return new Map([...classes.list()].map((one) => [one.metadata.name, one]));
  }

  return {
    stop: async () => {
      stopFollowing();
      await queue.stop();
    },
  };
}

function servicesOf(ingress: Ingress): string[] {
  const names = backendsOf(ingress).flatMap(({ backend }) => backend.service?.name ?? []);
  return [...new Set(names)].map((name) => `${ingress.metadata.namespace ?? ''}/${name}`);
}

/** What the status of Ingress objects has of a node. */
function seenOf(node: Node | undefined) {
  return node && letsIn(node) ? { addresses: node.status?.addresses } : undefined;
}

import type { WorkResult } from '../../lib/work-queue.ts';
import { formatTime } from '../../resources/conditions.ts';
import { type Service, services as serviceKind } from '../../resources/kinds.ts';
import { serviceConditions } from '../../resources/names.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { createObjectWriter } from '../object-writer.ts';
import { startReconciler } from '../reconciler.ts';
import { type BalancerStep, isOrWasBalancer, planBalancers } from './plan.ts';

const everything = 'load balancers';

/**
 * Gives Service objects of type LoadBalancer addresses of the grid's pool. Writes: Service.status.loadBalancer, and the
 * condition `flotilla.dev/AddressGiven`.
 */
export function startLoadBalancerController(context: ControllerContext): RunningController {
  const { client, clock, events, gridSettings, log } = context;
  const services = context.informers.of(serviceKind);
  const writer = createObjectWriter(client);
  services.index('balancer', (service) => (isOrWasBalancer(service) ? [everything] : []));
  // One key, one flight: addresses are given one after the other.
  const queue = startReconciler({ name: 'load-balancer', context, reconcile, concurrency: 1 });
  services.onChange((_key, service, old) => {
    if ((service && isOrWasBalancer(service)) || (old && isOrWasBalancer(old))) queue.add(everything);
  });
  const stopFollowing = gridSettings.onChange(() => queue.add(everything));

  async function reconcile(_key: string, signal: AbortSignal): Promise<WorkResult> {
    const { loadBalancerPool: pool } = await gridSettings.network();
    for (const step of planBalancers({ services: services.byIndex('balancer', everything), pool })) {
      await writer.updateStatus(services, { ...step.service, status: statusAfter(step, clock.wallMs()) }, signal);
      const { namespace, name } = step.service.metadata;
      if (step.type === 'give') {
        events.record(step.service, 'Normal', 'AddressGiven', `load balancer address ${step.address}`);
        log.info('load balancer address given', { namespace, service: name, address: step.address });
      } else if (step.type === 'refuse') events.record(step.service, 'Warning', step.reason, step.message);
    }
  }

  return {
    stop: async () => {
      stopFollowing();
      await queue.stop();
    },
  };
}

/** The status that a step leaves. */
export function statusAfter(step: BalancerStep, wallMs: number): NonNullable<Service['status']> {
  const type = serviceConditions.addressGiven;
  const others = (step.service.status?.conditions ?? []).filter((one) => one.type !== type);
  if (step.type === 'take') return { loadBalancer: {}, ...(others.length > 0 ? { conditions: others } : {}) };
  const condition =
    step.type === 'give'
      ? { type, status: 'True' as const, reason: 'Given', message: `its address is ${step.address}` }
      : { type, status: 'False' as const, reason: step.reason, message: step.message };
  return {
    loadBalancer: step.type === 'give' ? { ingress: [{ ip: step.address }] } : {},
    conditions: [...others, { ...condition, lastTransitionTime: formatTime(wallMs) }],
  };
}

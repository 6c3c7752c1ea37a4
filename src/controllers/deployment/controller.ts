import type { WorkResult } from '../../lib/work-queue.ts';
import {
  type Deployment,
  deployments as deploymentKind,
  pods as podKind,
  type ReplicaSet,
  replicaSets as replicaSetKind,
} from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { createObjectWriter } from '../object-writer.ts';
import { controllerOf, refOf } from '../owners.ts';
import { startReconciler } from '../reconciler.ts';
import { isSame } from '../same.ts';
import { type DeploymentStep, planDeployment } from './plan.ts';
import { templateText } from './replica-set-for.ts';
import { replicasOf } from './rolling.ts';

/** Rolls ReplicaSets after their Deployment's template. Writes: ReplicaSets (never their status), Deployment.status. */
export function startDeploymentController(context: ControllerContext): RunningController {
  const { client, clock, events } = context;
  const deployments = context.informers.of(deploymentKind);
  const replicaSets = context.informers.of(replicaSetKind);
  const pods = context.informers.of(podKind);
  const writer = createObjectWriter(client);
  const byController = (object: ReplicaSet) => [controllerOf(object)?.uid ?? ''];
  replicaSets.index('controller', byController);
  pods.index('controller', (pod) => [controllerOf(pod)?.uid ?? '']);

  const queue = startReconciler({ name: 'deployment', context, reconcile });
  deployments.onChange((key) => queue.add(key));
  const addOwnerOf = (replicaSet: ReplicaSet | undefined) => {
    const owner = replicaSet && controllerOf(replicaSet);
    if (owner?.kind === 'Deployment') queue.add(`${replicaSet?.metadata.namespace}/${owner.name}`);
  };
  replicaSets.onChange((_key, object, old) => {
    addOwnerOf(object);
    if (controllerOf(old ?? object!)?.uid !== controllerOf(object ?? old!)?.uid || !object) addOwnerOf(old);
  });
  // Recreate waits for the last old pod to be gone; nothing else here depends on single pods.
  pods.onChange((_key, object, old) => {
    const owner = !object && old ? controllerOf(old) : undefined;
    if (owner?.kind === 'ReplicaSet') addOwnerOf(replicaSets.get(`${old?.metadata.namespace}/${owner.name}`));
  });

  async function reconcile(key: string, signal: AbortSignal): Promise<WorkResult> {
    const deployment = deployments.get(key);
    if (!deployment) return;
    const plan = planDeployment({
      deployment,
      owned: replicaSets
        .byIndex('controller', deployment.metadata.uid ?? '')
        .filter((one) => !replicaSets.isBeingDeleted(one)),
      podsOf: (replicaSet) => pods.byIndex('controller', replicaSet.metadata.uid ?? ''),
      nowMs: clock.wallMs(),
    });
    let { status } = plan;
    for (const step of plan.steps) {
      const hasCollided = await apply(deployment, step, signal);
      if (hasCollided) status = { ...status, collisionCount: (status.collisionCount ?? 0) + 1 };
    }
    const newest = deployments.get(key) ?? deployment;
    if (!isSame(status, newest.status)) await writer.updateStatus(deployments, { ...newest, status }, signal);
    if (plan.steps.length > 0) queue.add(key);
    return plan.againAfterMs === undefined ? undefined : { againAfterMs: plan.againAfterMs };
  }

  /** True: another ReplicaSet has the name of the one to make. */
  async function apply(deployment: Deployment, step: DeploymentStep, signal: AbortSignal): Promise<boolean> {
    switch (step.type) {
      case 'createReplicaSet': {
        const made = await writer.create(replicaSets, step.replicaSet, signal);
        if (!made) return !(await isOurs(deployment, step.replicaSet, signal));
        const { name } = step.replicaSet.metadata;
        events.record(
          deployment,
          'Normal',
          'ScalingReplicaSet',
          `Scaled up replica set ${name} from 0 to ${replicasOf(step.replicaSet)}`,
        );
        return false;
      }
      case 'scaleReplicaSet': {
        const { replicaSet, replicas } = step;
        await writer.update(replicaSets, { ...replicaSet, spec: { ...replicaSet.spec, replicas } }, signal);
        const direction = replicas > replicasOf(replicaSet) ? 'up' : 'down';
        const text = `Scaled ${direction} replica set ${replicaSet.metadata.name} from ${replicasOf(replicaSet)} to ${replicas}`;
        events.record(deployment, 'Normal', 'ScalingReplicaSet', text);
        return false;
      }
      case 'annotateReplicaSet': {
        const patch = { type: 'merge', body: { metadata: { annotations: step.annotations } } } as const;
        const written = await client.patch(replicaSetKind, refOf(step.replicaSet), patch, { signal });
        replicaSets.noteWritten(written, step.replicaSet.metadata.resourceVersion);
        return false;
      }
      case 'deleteReplicaSet':
        await writer.remove(replicaSets, step.replicaSet, { signal, propagationPolicy: 'Background' });
        return false;
      case 'annotateDeployment': {
        const body = { metadata: { annotations: { [annotations.deploymentRevision]: String(step.revision) } } };
        const written = await client.patch(deploymentKind, refOf(deployment), { type: 'merge', body }, { signal });
        deployments.noteWritten(written, deployment.metadata.resourceVersion);
        return false;
      }
    }
  }

  /** The name is taken by our own earlier create, which the watch has not shown yet. */
  async function isOurs(deployment: Deployment, wanted: ReplicaSet, signal: AbortSignal): Promise<boolean> {
    const taken = await client.get(replicaSetKind, refOf(wanted), { signal });
    const isSet = controllerOf(taken)?.uid === deployment.metadata.uid;
    if (!isSet || templateText(taken.spec.template) !== templateText(wanted.spec.template)) return false;
    replicaSets.noteWritten(taken, undefined);
    return true;
  }

  return { stop: () => queue.stop() };
}

import { isApiError } from '../../client/api-error.ts';
import type { WorkResult } from '../../lib/work-queue.ts';
import {
  type Deployment,
  deployments as deploymentKind,
  pods as podKind,
  type ReplicaSet,
  replicaSets as replicaSetKind,
} from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';
import { rollbackText } from '../../resources/rollback-record.ts';
import { matchesSelector } from '../../resources/selectors.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { createObjectWriter } from '../object-writer.ts';
import { controllerOf, keyOf, refOf } from '../owners.ts';
import { startReconciler } from '../reconciler.ts';
import { isSame } from '../same.ts';
import { planClaims } from './claims.ts';
import { withCondition } from './condition-list.ts';
import { describeScaling } from './describe-step.ts';
import { lastWords } from './last-words.ts';
import { type DeploymentStep, planDeployment } from './plan.ts';
import { templateText } from './replica-set-for.ts';
import { rolledBackDeployment } from './rolled-back-deployment.ts';

type Step<Type extends DeploymentStep['type']> = Extract<DeploymentStep, { readonly type: Type }>;

/** Rolls ReplicaSets after their Deployment's template. Writes: ReplicaSets (never their status), Deployment.status. */
export function startDeploymentController(context: ControllerContext): RunningController {
  const { client, clock, events } = context;
  const deployments = context.informers.of(deploymentKind);
  const replicaSets = context.informers.of(replicaSetKind);
  const pods = context.informers.of(podKind);
  const writer = createObjectWriter(client);
  replicaSets.index('controller', (one) => [controllerOf(one)?.uid ?? '']);
  replicaSets.index('orphans', (one) => (controllerOf(one) ? [] : [one.metadata.namespace ?? '']));
  deployments.index('namespace', (one) => [one.metadata.namespace ?? '']);
  pods.index('controller', (pod) => [controllerOf(pod)?.uid ?? '']);

  const queue = startReconciler({ name: 'deployment', context, reconcile });
  deployments.onChange((key) => queue.add(key));
  const addOwnerOf = (replicaSet: ReplicaSet) => {
    const owner = controllerOf(replicaSet);
    if (owner?.kind === 'Deployment') queue.add(`${replicaSet.metadata.namespace}/${owner.name}`);
    if (!owner) addMatching(replicaSet);
  };
  const addMatching = (replicaSet: ReplicaSet) => {
    for (const one of deployments.byIndex('namespace', replicaSet.metadata.namespace ?? '')) {
      if (matchesSelector(one.spec.selector, replicaSet.metadata.labels)) queue.add(keyOf(one));
    }
  };
  replicaSets.onChange((_key, object, old) => {
    if (object) addOwnerOf(object);
    if (old && (!object || controllerOf(old)?.uid !== controllerOf(object)?.uid)) addOwnerOf(old);
  });
  // Recreate waits for the last old pod to be gone; nothing else here depends on single pods.
  pods.onChange((_key, object, old) => {
    const owner = !object && old ? controllerOf(old) : undefined;
    const set = owner?.kind === 'ReplicaSet' && replicaSets.get(`${old?.metadata.namespace}/${owner.name}`);
    if (set) addOwnerOf(set);
  });

  async function reconcile(key: string, signal: AbortSignal): Promise<WorkResult> {
    const deployment = deployments.get(key);
    if (!deployment) return;
    const isThere = (one: ReplicaSet) => !replicaSets.isBeingDeleted(one);
    const owned = replicaSets.byIndex('controller', deployment.metadata.uid ?? '').filter(isThere);
    const orphans = replicaSets.byIndex('orphans', deployment.metadata.namespace ?? '').filter(isThere);
    if (await claim(deployment, owned, orphans, signal)) return void queue.add(key);
    const plan = planDeployment({
      deployment,
      owned,
      podsOf: (replicaSet) => pods.byIndex('controller', replicaSet.metadata.uid ?? ''),
      nowMs: clock.wallMs(),
    });
    let { status } = plan;
    for (const step of plan.steps) {
      if (await apply(deployment, step, signal)) status = collided(deployment);
    }
    const newest = deployments.get(key) ?? deployment;
    if (!isSame(status, newest.status)) await writer.updateStatus(deployments, { ...newest, status }, signal);
    if (plan.steps.length > 0) queue.add(key);
    return plan.againAfterMs === undefined ? undefined : { againAfterMs: plan.againAfterMs };
  }

  /** True: something was taken in or let go of. */
  async function claim(
    deployment: Deployment,
    owned: readonly ReplicaSet[],
    orphans: readonly ReplicaSet[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const { adopted, released } = planClaims({ deployment, owned, orphans });
    if (adopted.length > 0) {
      // A deletion that leaves its sets behind makes them orphans: the informer may know of them before it knows of that.
      const { metadata } = await client.get(deploymentKind, refOf(deployment), { signal });
      if (metadata.uid !== deployment.metadata.uid || metadata.deletionTimestamp) return false;
    }
    for (const one of [...released, ...adopted]) await writer.update(replicaSets, one, signal);
    return released.length + adopted.length > 0;
  }

  /** True: another ReplicaSet has the name of the one to make. */
  async function apply(deployment: Deployment, step: DeploymentStep, signal: AbortSignal): Promise<boolean> {
    switch (step.type) {
      case 'createReplicaSet': {
        const made = await create(deployment, step, signal);
        if (!made) return !(await isOurs(deployment, step.replicaSet, signal));
        break;
      }
      case 'changeReplicaSet':
        await change(step, signal);
        break;
      case 'deleteReplicaSet':
        await writer.remove(replicaSets, step.replicaSet, { signal, propagationPolicy: 'Background' });
        break;
      case 'rollBack':
        await rollBack(deployment, step, signal);
        break;
      case 'forgetAnnotations': {
        const annotations = Object.fromEntries(step.keys.map((key) => [key, null]));
        const { resourceVersion } = deployment.metadata;
        // What it is about may have been said anew meanwhile.
        const body = { metadata: { annotations, ...(resourceVersion === undefined ? {} : { resourceVersion }) } };
        const written = await client.patch(deploymentKind, refOf(deployment), { type: 'merge', body }, { signal });
        deployments.noteWritten(written, resourceVersion);
        break;
      }
      case 'annotateDeployment': {
        const body = { metadata: { annotations: { [annotations.deploymentRevision]: String(step.revision) } } };
        const written = await client.patch(deploymentKind, refOf(deployment), { type: 'merge', body }, { signal });
        deployments.noteWritten(written, deployment.metadata.resourceVersion);
      }
    }
    const scaling = describeScaling(step);
    if (scaling !== undefined) events.record(deployment, 'Normal', 'ScalingReplicaSet', scaling);
    return false;
  }

  /** The template and the reason in one commit, on the revision that was read: a newer deploy is never undone. */
  async function rollBack(deployment: Deployment, rollback: Step<'rollBack'>, signal: AbortSignal): Promise<void> {
    const podsOfSet = pods.byIndex('controller', rollback.from.metadata.uid ?? '');
    const words = await lastWords({ pods: podsOfSet, client, readPodLog: context.readPodLog, signal });
    const { written, record } = rolledBackDeployment(deployment, rollback, words);
    await writer.update(deployments, written, signal);
    const reason = record.by === 'abort' ? 'Aborted' : 'RolledBack';
    events.record(deployment, 'Warning', reason, rollbackText(record));
  }

  async function create(
    deployment: Deployment,
    { replicaSet }: Step<'createReplicaSet'>,
    signal: AbortSignal,
  ): Promise<ReplicaSet | undefined> {
    try {
      return await writer.create(replicaSets, replicaSet, signal);
    } catch (error) {
      if (!isApiError(error, 'Invalid') && !isApiError(error, 'Forbidden')) throw error;
      const message = `Failed to create new replica set "${replicaSet.metadata.name}": ${error.message}`;
      const reason = 'ReplicaSetCreateError';
      events.record(deployment, 'Warning', reason, message);
      const next = { type: 'Progressing', status: 'False', reason, message };
      const conditions = [...withCondition(deployment.status?.conditions ?? [], next, clock.wallMs())];
      const status = { ...deployment.status, observedGeneration: deployment.metadata.generation ?? 0, conditions };
      if (!isSame(status, deployment.status)) {
        const shown = deployments.get(keyOf(deployment)) ?? deployment;
        await writer.updateStatus(deployments, { ...shown, status }, signal);
      }
      throw error;
    }
  }

  async function change({ replicaSet, change }: Step<'changeReplicaSet'>, signal: AbortSignal): Promise<void> {
    const { replicas, minReadySeconds } = change;
    const metadata = {
      ...replicaSet.metadata,
      annotations: { ...replicaSet.metadata.annotations, ...change.annotations },
    };
    const spec = {
      ...replicaSet.spec,
      ...(replicas === undefined ? {} : { replicas }),
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
    };
    await writer.update(replicaSets, { ...replicaSet, metadata, spec }, signal);
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

/** The name of the set to make follows from this count, too. */
function collided(deployment: Deployment): NonNullable<Deployment['status']> {
  return { ...deployment.status, collisionCount: (deployment.status?.collisionCount ?? 0) + 1 };
}

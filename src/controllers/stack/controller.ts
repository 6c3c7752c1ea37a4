import { ApiError, isApiError } from '../../client/api-error.ts';
import type { WorkResult } from '../../lib/work-queue.ts';
import type { Kind } from '../../resources/kind.ts';
import {
  serviceAccounts as accountKind,
  podDisruptionBudgets as budgetKind,
  type ControllerRevision,
  certificates as certificateKind,
  configMaps as configMapKind,
  deployments as deploymentKind,
  ingresses as ingressKind,
  namespaces as namespaceKind,
  pods as podKind,
  networkPolicies as policyKind,
  replicaSets as replicaSetKind,
  controllerRevisions as revisionKind,
  roleBindings as roleBindingKind,
  roles as roleKind,
  type Stack,
  secrets as secretKind,
  services as serviceKind,
  stacks as stackKind,
  volumes as volumeKind,
} from '../../resources/kinds.ts';
import { annotations, labels } from '../../resources/names.ts';
import type { ApiObject } from '../../resources/object.ts';
import { compileStack } from '../../stack/compile.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { createObjectWriter } from '../object-writer.ts';
import { controllerOf, keyOf, refOf } from '../owners.ts';
import { startReconciler } from '../reconciler.ts';
import { isSame } from '../same.ts';
import { isOfEveryNamespace } from '../service-account/plan.ts';
import type { SharedInformer } from '../shared-informer.ts';
import { planHistory } from './history.ts';
import type { Observed } from './inventory.ts';
import { observeServices } from './observe-services.ts';
import { planStack, type StackPlan, type StackStep, stackFinalizer } from './plan.ts';
import { withRefusal } from './status.ts';

/** Answers that waiting does not change. */
const refusals = ['Invalid', 'BadRequest', 'Forbidden', 'RequestEntityTooLarge'];

/** Makes of each Stack what its file says. Writes: Stack.status and finalizers, and the objects that it makes. */
export function startStackController(context: ControllerContext): RunningController {
  const { client, clock, events, gridSettings, informers } = context;
  const stacks = informers.of(stackKind);
  const namespaces = informers.of(namespaceKind);
  const pods = informers.of(podKind);
  const replicaSets = informers.of(replicaSetKind);
  const revisions = informers.of(revisionKind);
  const writer = createObjectWriter(client);
  const made: SharedInformer<ApiObject>[] = [
    deploymentKind,
    serviceKind,
    secretKind,
    volumeKind,
    podKind,
    policyKind,
    ingressKind,
  ].map((kind) => informers.of<ApiObject>(kind as Kind));
  const kindsOfOthers = [
    ...[configMapKind, stackKind, accountKind, roleKind, roleBindingKind, budgetKind, certificateKind],
  ];
  const others = [...made, ...kindsOfOthers.map((kind) => informers.of<ApiObject>(kind as Kind))];
  replicaSets.index('controller', (one) => [controllerOf(one)?.uid ?? '']);
  revisions.index('controller', (one) => [controllerOf(one)?.uid ?? '']);
  const isKept = (one: ControllerRevision) => !revisions.isBeingDeleted(one);

  const queue = startReconciler({ name: 'stack', context, reconcile });
  stacks.onChange((key) => queue.add(key));
  for (const informer of [...made, replicaSets as unknown as SharedInformer<ApiObject>]) {
    informer.index('stack', (object) => stackKeysOf(object));
    informer.onChange((_key, object, old) => {
      for (const key of new Set([...stackKeysOf(object), ...stackKeysOf(old)])) queue.add(key);
      // A name that was taken may be free now.
      if (!object && old)
        for (const stack of stacks.byIndex('namespace', old.metadata.namespace ?? '')) queue.add(keyOf(stack));
    });
  }
  // A host or port that another namespace had may be free now.
  informers.of(ingressKind).onChange((_key, _ingress, old) => {
    for (const stack of old ? stacks.list() : []) if (wasRefused(stack)) queue.add(keyOf(stack));
  });
  const stopFollowing = gridSettings.onChange(() => {
    for (const stack of stacks.list()) queue.add(keyOf(stack));
  });
  for (const informer of others) informer.index('namespace', (object) => [object.metadata.namespace ?? '']);

  async function reconcile(key: string, signal: AbortSignal): Promise<WorkResult> {
    const stack = stacks.get(key);
    if (!stack) return;
    const { baseDomain } = await gridSettings.ingress();
    const compiled = compileStack(stack, baseDomain === undefined ? {} : { baseDomain });
    const isOurs = (object: ApiObject) => object.metadata.annotations?.[annotations.appliedHash] !== undefined;
    const madeObjects = made.flatMap((informer) =>
      informer
        .byIndex('stack', key)
        .filter(isOurs)
        .map((object): Observed => ({ kind: informer.kind, object })),
    );
    const podsOfStack = pods.byIndex('stack', key);
    const planned = planStack({
      stack,
      compiled,
      find: (kind, name) => informers.of(kind).get(`${stack.metadata.namespace ?? ''}/${name}`),
      made: madeObjects,
      services: observeServices({
        stack,
        compiled,
        pods: podsOfStack,
        deployment: (name) => informers.of(deploymentKind).get(`${stack.metadata.namespace ?? ''}/${name}`),
        replicaSetsOf: (uid) => replicaSets.byIndex('controller', uid),
      }),
      podCount: podsOfStack.length,
      mayDeleteNamespace: mayDeleteNamespace(stack),
      nowMs: clock.wallMs(),
    });
    const plan = stack.metadata.deletionTimestamp ? planned : withHistory(stack, planned);
    const refused: string[] = [];
    const isDoneAlready = (step: StackStep) =>
      step.type === 'delete' && informers.of(step.kind).isBeingDeleted(step.object);
    const steps = plan.steps.filter((step) => !isDoneAlready(step));
    for (const step of steps) await tryStep(stack, step, refused, signal);
    await writeStatus(
      key,
      stack,
      refused.length > 0 ? withRefusal(plan.status, refused.join('; '), clock.wallMs()) : plan.status,
      signal,
    );
    // What was made is in the next status; what was refused waits for a change.
    if (steps.length > 0 && refused.length === 0 && !stack.metadata.deletionTimestamp) queue.add(key);
  }

  function withHistory(stack: Stack, plan: StackPlan): StackPlan {
    const isComplete = plan.status.conditions?.some(
      ({ type, reason }) => type === 'Progressing' && reason === 'Complete',
    );
    const { steps, version } = planHistory({
      stack,
      revisions: revisions.byIndex('controller', stack.metadata.uid ?? '').filter(isKept),
      isThrough: plan.steps.length === 0 && isComplete === true,
    });
    return { steps: [...steps, ...plan.steps], status: { ...plan.status, version } };
  }

  async function tryStep(stack: Stack, step: StackStep, refused: string[], signal: AbortSignal): Promise<void> {
    try {
      await apply(stack, step, signal);
    } catch (error) {
      if (!(error instanceof ApiError) || !refusals.includes(error.status.reason)) throw error;
      const what = 'object' in step ? `${step.kind.kind} ${step.object.metadata.name}` : step.type;
      refused.push(`${what} was refused: ${error.message}`);
      events.record(stack, 'Warning', 'Refused', `${what} was refused: ${error.message}`);
    }
  }

  async function apply(stack: Stack, step: StackStep, signal: AbortSignal): Promise<void> {
    switch (step.type) {
      case 'create':
        await writer.create(informers.of(step.kind), step.object, signal);
        return;
      case 'update':
        await writer.update(informers.of(step.kind), step.object, signal);
        return;
      case 'delete':
        await writer.remove(informers.of(step.kind), step.object, { signal, propagationPolicy: 'Background' });
        return;
      case 'deleteNamespace':
        await client.delete(namespaceKind, { name: stack.metadata.namespace ?? '' }, { signal }).catch(ignoreGone);
        return;
      case 'addFinalizer':
      case 'removeFinalizer': {
        const rest = (stack.metadata.finalizers ?? []).filter((one) => one !== stackFinalizer);
        const finalizers = step.type === 'addFinalizer' ? [...rest, stackFinalizer] : rest;
        const { resourceVersion } = stack.metadata;
        const body = { metadata: { finalizers, ...(resourceVersion === undefined ? {} : { resourceVersion }) } };
        const written = await client.patch(stackKind, refOf(stack), { type: 'merge', body }, { signal });
        if (step.type === 'addFinalizer') stacks.noteWritten(written, resourceVersion);
      }
    }
  }

  async function writeStatus(
    key: string,
    read: Stack,
    status: NonNullable<Stack['status']>,
    signal: AbortSignal,
  ): Promise<void> {
    const newest = stacks.get(key);
    if (newest?.metadata.uid !== read.metadata.uid || newest === undefined) return;
    if (newest.metadata.deletionTimestamp || isSame(status, newest.status)) return;
    await writer.updateStatus(stacks, { ...newest, status }, signal);
  }

  /** Made for this stack, and nothing is left in it but the stack and what every namespace has. */
  function mayDeleteNamespace(stack: Stack): boolean {
    const name = stack.metadata.namespace ?? '';
    const namespace = namespaces.get(name);
    if (!namespace || namespace.metadata.deletionTimestamp) return false;
    if (namespace.metadata.labels?.[labels.stack] !== stack.metadata.name) return false;
    return others.every((informer) =>
      informer
        .byIndex('namespace', name)
        .every(
          (object) => object.metadata.uid === stack.metadata.uid || isOfEveryNamespace(object) || goesByItself(object),
        ),
    );
  }

  return {
    stop: async () => {
      stopFollowing();
      await queue.stop();
    },
  };
}

function wasRefused({ status }: Stack): boolean {
  return status?.conditions?.some(({ type, reason }) => type === 'Progressing' && reason === 'Refused') ?? false;
}

/** Made for Ingress objects: it goes some moments after the last of them. */
function goesByItself(object: ApiObject): boolean {
  if (object.metadata.labels?.[labels.automaticCertificate] === 'true') return true;
  return controllerOf(object)?.kind === certificateKind.kind;
}

function stackKeysOf(object: ApiObject | undefined): string[] {
  const stack = object?.metadata.labels?.[labels.stack];
  return stack === undefined || !object?.metadata.namespace ? [] : [`${object.metadata.namespace}/${stack}`];
}

function ignoreGone(error: unknown): void {
  if (!isApiError(error, 'NotFound') && !isApiError(error, 'Conflict')) throw error;
}

import { setCondition } from '../../resources/conditions.ts';
import type { Stack } from '../../resources/kinds.ts';
import type { StackServiceStatus } from '../../resources/stack-types.ts';
import type { Trouble } from '../pod-trouble.ts';
import { inventoryEntry } from './inventory.ts';
import type { StackObservation } from './plan.ts';
import type { ServiceState } from './service-state.ts';

export interface StackStatusInput extends StackObservation {
  /** Sentences about names that are taken. */
  readonly conflicts: readonly string[];
  /** Service → what it waits for. */
  readonly held: ReadonlyMap<string, string>;
}

/** Counts and sentences a service, and two conditions that sum them up. */
export function stackStatus(input: StackStatusInput): NonNullable<Stack['status']> {
  const { stack, services, held, made, nowMs } = input;
  const available = availability(services);
  const progress = progressOf(input);
  const conditions = setCondition(stack.status?.conditions, { type: 'Available', ...available }, nowMs);
  return {
    observedGeneration: stack.metadata.generation ?? 0,
    conditions: setCondition(conditions, { type: 'Progressing', ...progress }, nowMs),
    services: Object.fromEntries([...services].map(([name, state]) => [name, serviceStatus(state, held.get(name))])),
    inventory: made.map(inventoryEntry).sort(),
  };
}

/** What the server refused comes before anything else: nothing will happen until the file changes. */
export function withRefusal(
  status: NonNullable<Stack['status']>,
  message: string,
  nowMs: number,
): NonNullable<Stack['status']> {
  const condition = { type: 'Progressing', status: 'False', reason: 'Refused', message };
  return { ...status, conditions: setCondition(status.conditions, condition, nowMs) };
}

function serviceStatus(state: ServiceState, waits: string | undefined): StackServiceStatus {
  const message = waits ?? state.trouble?.message;
  const { instances, updated, ready } = state;
  return { instances, updated, ready, ...(message === undefined ? {} : { message }) };
}

function availability(services: ReadonlyMap<string, ServiceState>) {
  const missing = [...services].filter(([, state]) => !state.isHealthy);
  if (missing.length === 0)
    return { status: 'True', reason: 'AllReady', message: 'every service has its instances ready' };
  const parts = missing.map(([name, state]) => `${name} has ${state.ready} of ${state.instances} ready`);
  return { status: 'False', reason: 'NotReady', message: parts.join(', ') };
}

function progressOf({ conflicts, held, services }: StackStatusInput) {
  if (conflicts.length > 0) return { status: 'False', reason: 'Conflict', message: conflicts.join('; ') };
  const troubles = [...services].flatMap(([name, state]) => (state.trouble ? [{ name, ...state.trouble }] : []));
  const worst: (Trouble & { name: string }) | undefined = troubles.find((one) => one.isStuck) ?? troubles[0];
  if (worst?.isStuck) return { status: 'False', reason: worst.reason, message: `${worst.name}: ${worst.message}` };
  const [waiting] = held;
  const [name, message] = worst ? [worst.name, worst.message] : (waiting ?? []);
  const isWaiting = worst?.reason === 'OutsideWindow' && troubles.every((one) => one.reason === 'OutsideWindow');
  const reason = isWaiting && !waiting ? 'OutsideWindow' : 'Deploying';
  if (name !== undefined) return { status: 'True', reason, message: `${name}: ${message}` };
  return { status: 'True', reason: 'Complete', message: 'every service is what the file says' };
}

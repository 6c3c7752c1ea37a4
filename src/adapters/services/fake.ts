import { createClaims } from './claims.ts';
import { planFronts } from './fronts.ts';
import type { ServiceProxy, ServiceState } from './port.ts';

export interface FakeServiceProxy extends ServiceProxy {
  /** What was applied last; undefined before, after a failure, and after `cleanup`. */
  readonly applied: () => ServiceState | undefined;
  /** The next `apply` throws this, and nothing changes. */
  failNext(error: Error): void;
  /** Somebody else takes everything away. */
  takeAway(): void;
  /** `address:port`, or addresses, of who takes what pods and the host send there; empty: refused. */
  takers(address: string, port?: { readonly protocol: 'TCP' | 'UDP'; readonly number: number }): string[];
  /** How often `wirePorts` was called. */
  readonly wired: () => number;
}

/** Service addresses in memory; leaves out what the real one leaves out. */
export function createFakeServiceProxy(): FakeServiceProxy {
  let applied: ServiceState | undefined;
  let working: ServiceState | undefined;
  let isBroken = false;
  let failure: Error | undefined;
  let wired = 0;
  return {
    apply: async (state) => {
      const thrown = failure;
      failure = undefined;
      applied = undefined;
      isBroken = true;
      if (thrown) throw thrown;
      isBroken = false;
      applied = { ...state, services: new Map(state.services) };
      working = applied;
    },
    hasDrifted: async () => isBroken,
    wirePorts: async () => {
      wired++;
    },
    cleanup: async () => {
      isBroken = false;
      applied = undefined;
      working = undefined;
    },
    applied: () => applied,
    failNext: (error) => {
      failure = error;
    },
    takeAway: () => {
      working = undefined;
      isBroken = true;
    },
    takers: (address, port) => {
      const wishes = new Map([...(working?.services ?? [])].map(([name, service]) => [name, planFronts(service)]));
      const claims = createClaims();
      for (const [name, wish] of wishes) claims.add(name, wish.fronts);
      const id = port ? `vip ${address} . ${port.protocol.toLowerCase()} . ${port.number}` : `any ${address}`;
      for (const [name, { fronts, pools }] of wishes) {
        const front = fronts.find((one) => one.id === id && claims.owner(one) === name);
        if (front) return pools[front.inside].map((endpoint) => endpoint.replace(' . ', ':')).sort();
      }
      return [];
    },
    wired: () => wired,
  };
}

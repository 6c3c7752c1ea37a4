import { type Accepted, anyHost, nothingAccepted, readWish, type Wish } from './haproxy/wish.ts';
import type { IngressEndpoint, IngressProxy, IngressRoute, IngressState } from './port.ts';

export interface FakeIngressProxy extends IngressProxy {
  /** What was applied last; undefined before, and after it ended. */
  readonly applied: () => IngressState | undefined;
  /** The next `apply` throws this, and nothing changes. */
  failNext(error: Error): void;
  /** HAProxy would refuse this one, and says why. */
  refuse(route: string, why: string): void;
  /** The process is gone. */
  kill(): void;
  /** What a request gets: who may answer it; nobody: 503. Undefined: 404. */
  takers(host: string, path: string): readonly IngressEndpoint[] | undefined;
}

/** An ingress proxy in memory; leaves out what HAProxy leaves out, and finds what it finds. */
export function createFakeIngressProxy(): FakeIngressProxy {
  let applied: IngressState | undefined;
  let wish: Wish | undefined;
  let accepted: Accepted = nothingAccepted;
  let failure: Error | undefined;
  let hasDrifted = true;
  let reloads = 0;
  const refused = new Map<string, string>();
  return {
    apply: async (state) => {
      const thrown = failure;
      failure = undefined;
      hasDrifted = true;
      if (thrown) throw thrown;
      const isStart = wish === undefined;
      const before = applied;
      const taken = readWish(withoutRefused(state, refused, accepted), accepted, new Map());
      accepted = taken.taken;
      wish = taken;
      applied = state;
      hasDrifted = false;
      const problems = new Map([...taken.problems, ...[...refused].filter(([key]) => state.routes.has(key))]);
      if (isStart) return { problems, by: 'start' };
      if (before && isSame(before, state)) return { problems };
      reloads++;
      return { problems, by: 'reload' };
    },
    hasDrifted: async () => hasDrifted,
    stats: async () => ({
      version: 'fake',
      pid: 1,
      oldWorkers: 0,
      connections: 0,
      reloads,
      backends: new Map(),
      hosts: new Map(),
    }),
    stop: async () => {},
    retire: async () => {},
    end: async () => {
      applied = undefined;
      wish = undefined;
      hasDrifted = true;
    },
    applied: () => applied,
    failNext: (error) => {
      failure = error;
    },
    refuse: (route, why) => void refused.set(route, why),
    kill: () => {
      wish = undefined;
      hasDrifted = true;
    },
    takers: (host, path) => wish && find(wish, host, path),
  };
}

function withoutRefused(state: IngressState, refused: ReadonlyMap<string, string>, accepted: Accepted): IngressState {
  const routes = new Map<string, IngressRoute>();
  for (const [key, route] of state.routes) {
    const last = accepted.routes.get(key)?.route;
    if (!refused.has(key)) routes.set(key, route);
    else if (last) routes.set(key, last);
  }
  return { ...state, routes };
}

function isSame(before: IngressState, after: IngressState): boolean {
  const isEqual = <T>(a: ReadonlyMap<string, T>, b: ReadonlyMap<string, T>) =>
    a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
  return (
    JSON.stringify(before.settings) === JSON.stringify(after.settings) &&
    isEqual(before.routes, after.routes) &&
    isEqual(before.backends, after.backends) &&
    isEqual(before.listeners, after.listeners) &&
    isEqual(before.certificates, after.certificates) &&
    isEqual(before.challenges, after.challenges)
  );
}

/** As the maps of HAProxy are looked up. */
function find(wish: Wish, host: string, path: string): readonly IngressEndpoint[] | undefined {
  const parent = `*.${host.split('.').slice(1).join('.')}`;
  const site = [host, parent, anyHost].find((one) => wish.hosts.has(one));
  if (site === undefined) return undefined;
  const asked = `${site}${path}/`;
  const longest = [...wish.prefix.keys()].filter((key) => asked.startsWith(key)).sort((a, b) => b.length - a.length);
  const route = wish.exact.get(`${site}${path}`) ?? wish.prefix.get(longest[0] ?? '');
  return route && wish.sections.get(route.section)?.backend.endpoints;
}

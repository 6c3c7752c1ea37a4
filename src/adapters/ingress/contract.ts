import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  IngressBackend,
  IngressEndpoint,
  IngressProxy,
  IngressRoute,
  IngressState,
  RouteOptions,
} from './port.ts';

export interface IngressProxySubject {
  readonly proxy: IngressProxy;
  readonly settings: IngressState['settings'];
  /** Of an instance that answers with its name, from 1 on. */
  instance(number: number): IngressEndpoint;
  /** Status, and of 200 which instance answered. */
  ask(host: string, path: string): Promise<string>;
  /** Somebody ends the process. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

/** What each ingress proxy promises. `open` gives one that was never asked for anything. */
export function ingressProxyContract(name: string, open: () => Promise<IngressProxySubject>): void {
  const check = (what: string, run: (subject: IngressProxySubject) => Promise<void>) =>
    test(`${name}: ${what}`, async () => {
      const subject = await open();
      try {
        await run(subject);
      } finally {
        await subject.proxy.end(0);
        await subject.close();
      }
    });

  check('takes the whole state, twice is once, and what is missing is gone', async (subject) => {
    const { proxy, ask } = subject;
    const web = backend('shop/web:80', [subject.instance(1)]);
    const api = backend('shop/api:80', [subject.instance(2)]);
    const both = state(subject, { a: route('web.test', '/', web), b: route('api.test', '/', api) }, [web, api]);
    const first = await proxy.apply(both);
    assert.equal(first.by, 'start');
    assert.equal(first.problems.size, 0);
    assert.equal(await ask('web.test', '/'), '200 1');
    assert.equal(await ask('api.test', '/x'), '200 2');
    assert.equal((await proxy.apply(both)).by, undefined);
    assert.equal(await proxy.hasDrifted(), false);
    await proxy.apply(state(subject, { b: route('api.test', '/', api) }, [api]));
    assert.equal(await ask('web.test', '/'), '404');
    assert.equal(await ask('api.test', '/'), '200 2');
  });

  check('goes by host and path: exact, the longest prefix by elements, one label for a wildcard', async (subject) => {
    const { proxy, ask } = subject;
    const [one, two, three, four] = [1, 2, 3, 4].map((at) => backend(`shop/s${at}:80`, [subject.instance(at)]));
    assert(one && two && three && four);
    const routes = {
      a: route('web.test', '/', one),
      b: route('web.test', '/a', two),
      c: route('web.test', '/a/b/', three),
      d: { ...route('web.test', '/a/b/c', four), pathType: 'Exact' as const },
      e: route('*.web.test', '/', three),
      f: route('strict.web.test', '/only', four),
    };
    await proxy.apply(state(subject, routes, [one, two, three, four]));
    const expected = {
      'web.test /': '200 1',
      'web.test /ab': '200 1',
      'web.test /a': '200 2',
      'web.test /a/': '200 2',
      'web.test /a/x': '200 2',
      'web.test /a/bc': '200 2',
      'web.test /a/b': '200 3',
      'web.test /a/b/c': '200 4',
      'web.test /a/b/c/': '200 3',
      'web.test /a/b/c/d': '200 3',
      'other.web.test /': '200 3',
      'deep.other.web.test /': '404',
      'strict.web.test /only/x': '200 4',
      'strict.web.test /': '404',
      'elsewhere.test /': '404',
    };
    for (const [asked, answer] of Object.entries(expected)) {
      const [host = '', path = ''] = asked.split(' ');
      assert.equal(await ask(host, path), answer, asked);
    }
    const { host: _, ...anything } = route('', '/', one);
    await proxy.apply(state(subject, { ...routes, g: anything }, [one, two, three, four]));
    assert.equal(await ask('elsewhere.test', '/'), '200 1');
    assert.equal(await ask('strict.web.test', '/'), '404');
  });

  check('follows endpoints; without any it says 503', async (subject) => {
    const { proxy, ask } = subject;
    const routes = (web: IngressBackend) => ({ a: route('web.test', '/', web) });
    const apply = (...numbers: number[]) => {
      const web = backend('shop/web:80', numbers.map(subject.instance));
      return proxy.apply(state(subject, routes(web), [web]));
    };
    await apply(1);
    for (const number of [2, 3, 1]) {
      await apply(number);
      assert.equal(await ask('web.test', '/'), `200 ${number}`);
      assert.equal(await ask('web.test', '/'), `200 ${number}`);
    }
    await apply();
    assert.equal(await ask('web.test', '/'), '503');
    await apply(2);
    assert.equal(await ask('web.test', '/'), '200 2');
  });

  check('leaves out what it cannot take, keeps its last good form, and says why', async (subject) => {
    const { proxy, ask } = subject;
    const web = backend('shop/web:80', [subject.instance(1)]);
    const bad: RouteOptions = { allow: ['not-an-address'] };
    const good = route('good.test', '/', web);
    const first = await proxy.apply(state(subject, { good, bad: route('bad.test', '/', web, bad) }, [web]));
    assert.match(first.problems.get('bad') ?? '', /not-an-address/);
    assert.equal(first.problems.size, 1);
    assert.equal(await ask('good.test', '/'), '200 1');
    assert.equal(await ask('bad.test', '/'), '503');
    await proxy.apply(state(subject, { good, bad: route('bad.test', '/', web) }, [web]));
    const moved = backend('shop/web:80', [subject.instance(2)]);
    const last = await proxy.apply(state(subject, { good, bad: route('bad.test', '/', moved, bad) }, [moved]));
    assert.deepEqual([...last.problems.keys()], ['bad']);
    assert.equal(await ask('bad.test', '/'), '200 2');
    assert.equal(await ask('good.test', '/'), '200 2');
  });

  check('is started again when it was ended', async (subject) => {
    const { proxy, ask, kill } = subject;
    const web = backend('shop/web:80', [subject.instance(1)]);
    const wanted = state(subject, { a: route('web.test', '/', web) }, [web]);
    assert.equal(await proxy.hasDrifted(), true);
    await proxy.apply(wanted);
    assert.equal(await proxy.hasDrifted(), false);
    await kill();
    assert.equal(await proxy.hasDrifted(), true);
    assert.equal((await proxy.apply(wanted)).by, 'start');
    assert.equal(await proxy.hasDrifted(), false);
    assert.equal(await ask('web.test', '/'), '200 1');
    await proxy.end(0);
    assert.equal(await proxy.hasDrifted(), true);
  });
}

export function backend(
  name: string,
  endpoints: readonly IngressEndpoint[],
  options: IngressBackend['options'] = {},
): IngressBackend {
  return { name, mode: 'http', endpoints, options };
}

export function route(host: string, path: string, { name }: IngressBackend, options: RouteOptions = {}): IngressRoute {
  return { host, path, pathType: 'Prefix', backend: name, options };
}

export function state(
  { settings }: Pick<IngressProxySubject, 'settings'>,
  routes: Readonly<Record<string, IngressRoute>>,
  backends: readonly IngressBackend[],
  rest: Partial<IngressState> = {},
): IngressState {
  return {
    settings,
    routes: new Map(Object.entries(routes)),
    backends: new Map(backends.map((one) => [one.name, one])),
    listeners: new Map(),
    certificates: new Map(),
    challenges: new Map(),
    ...rest,
  };
}

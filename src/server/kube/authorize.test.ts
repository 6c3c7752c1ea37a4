import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isApiError } from '../../resources/api-error.ts';
import { type Pod, pods } from '../../resources/kinds.ts';
import { createAuthorizer } from '../auth/authorizer.ts';
import { RoleIndex } from '../auth/rbac/role-index.ts';
import type { Attributes, RequestContext } from '../request.ts';
import { requireAllowedFirst } from './authorize.ts';

/** A server that hears of pod shop/web on h1 with `fresh` only. */
function lateServer(fresh?: () => Promise<void>) {
  const web: Pod = {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'shop', name: 'web' } },
    spec: { nodeName: 'h1', containers: [{ name: 'web', image: 'web' }] },
  };
  let isHeard = false;
  let asked = 0;
  const authorizer = createAuthorizer({
    pods: { pod: (_grid, _namespace, name) => (isHeard && name === 'web' ? web : undefined), podsOnNode: () => [] },
    roles: { of: () => new RoleIndex() },
    find: () => undefined,
  });
  const cache = {
    fresh: async () => {
      asked++;
      await fresh?.();
      isHeard = true;
    },
  };
  const remove = (user: RequestContext['user'], name = 'web') => {
    const context: RequestContext = {
      ...{ requestId: 'r1', user, grid: 'main', sourceAddress: '', userAgent: '' },
      signal: new AbortController().signal,
    };
    const attributes: Attributes = { verb: 'delete', grid: 'main', kind: pods, namespace: 'shop', name };
    return requireAllowedFirst(authorizer, cache, context, attributes);
  };
  return { remove, asked: () => asked };
}

const node = (name: string) => ({ name: `system:node:${name}`, groups: ['system:nodes'], grid: 'main' });

describe('requireAllowedFirst', () => {
  it('does not refuse a node for a pod that this server has not heard of yet', async () => {
    const server = lateServer();
    await server.remove(node('h1'));
    assert.equal(server.asked(), 1);
    await server.remove(node('h1'));
    assert.equal(server.asked(), 1, 'what is known is not asked for');
  });

  it('refuses a node what is not its own, or is nowhere', async () => {
    const server = lateServer();
    await assert.rejects(server.remove(node('h2')), (error) => isApiError(error, 'Forbidden'));
    await assert.rejects(server.remove(node('h1'), 'other'), (error) => isApiError(error, 'Forbidden'));
  });

  it('does not know while the store is silent: that is no refusal', async () => {
    const server = lateServer(async () => {
      throw new Error('the store is silent');
    });
    await assert.rejects(server.remove(node('h1')), /the store is silent/);
  });

  it('asks the store for nobody else', async () => {
    const server = lateServer();
    const user = { name: 'jane', groups: ['system:authenticated'] };
    await assert.rejects(server.remove(user), (error) => isApiError(error, 'Forbidden'));
    assert.equal(server.asked(), 0);
  });
});

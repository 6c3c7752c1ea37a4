// What a Grid object says about addresses, done by controllers on the real registry.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { GridNetworkSpec } from '../../src/resources/grid-network.ts';
import { events, grids, nodes, type Service, services } from '../../src/resources/kinds.ts';
import { eventually, type SimulatedCluster, startSimulatedCluster } from './simulated-cluster.ts';

async function withNetwork(network: GridNetworkSpec, run: (cluster: SimulatedCluster) => Promise<void>): Promise<void> {
  const cluster = await startSimulatedCluster();
  try {
    const grid = { apiVersion: 'flotilla.dev/v1alpha1', kind: 'Grid', metadata: { name: 'main' } };
    await cluster.client.create(grids, { ...grid, spec: { network } });
    await run(cluster);
  } finally {
    await cluster.stop();
  }
}

const conditionOf = (conditions: readonly { type: string }[] | undefined, type: string) =>
  conditions?.find((one) => one.type === type) as { status?: string; message?: string } | undefined;

describe('the pod range of a grid', () => {
  it('is cut into shares, says when it is used up, and gives a node that returns its own again', async () => {
    await withNetwork({ podRange: '10.9.0.0/24', nodePrefixLength: 25 }, async ({ client, addNode }) => {
      const shares = async () => {
        const { items } = await client.list(nodes);
        return Object.fromEntries(items.map((node) => [node.metadata.name, node.spec.podCIDRs?.[0]]));
      };
      const exhaustion = async (name: string) =>
        conditionOf((await client.get(nodes, { name })).status?.conditions, 'flotilla.dev/PodRangeExhausted');
      for (const name of ['h1', 'h2']) {
        await addNode(name);
        await eventually(async () => assert.ok((await shares())[name]));
      }
      await addNode('h3');
      await eventually(async () => {
        const { status, message } = (await exhaustion('h3')) ?? {};
        const sentence = 'no share of the pod range 10.9.0.0/24 is left for it: all 2 /25 networks are in use';
        assert.deepEqual([status, message], ['True', sentence]);
        const told = (await client.list(events)).items.filter((one) => one.reason === 'PodRangeExhausted');
        assert.deepEqual([told.length, told[0]?.involvedObject.name, told[0]?.message], [1, 'h3', sentence]);
      });
      await client.delete(nodes, { name: 'h1' });
      await eventually(async () => {
        assert.deepEqual(await shares(), { h2: '10.9.0.128/25', h3: '10.9.0.0/25' });
        assert.equal((await exhaustion('h3'))?.status, 'False');
      });
      await client.delete(nodes, { name: 'h3' });
      await client.delete(nodes, { name: 'h2' });
      await eventually(async () => assert.deepEqual(await shares(), {}));
      await addNode('h2');
      await eventually(async () => assert.deepEqual(await shares(), { h2: '10.9.0.128/25' }));
    });
  });
});

describe('the pool of a grid for load balancers', () => {
  const balancer = (name: string, spec: Partial<Service['spec']> = {}): Service => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...spec },
  });

  it('gives addresses that stay across leaders, and come back', async () => {
    await withNetwork({ loadBalancerPool: ['10.1.0.8/31'] }, async ({ client, changeLeader }) => {
      const ref = (name: string) => ({ namespace: 'default', name });
      const given = async () => {
        const { items } = await client.list(services, { namespace: 'default' });
        const balancers = items.filter((one) => one.metadata.name !== 'kubernetes');
        return Object.fromEntries(
          balancers.map((one) => [one.metadata.name, one.status?.loadBalancer?.ingress?.[0]?.ip]),
        );
      };
      await client.create(services, balancer('a', { loadBalancerIP: '10.1.0.9' }));
      await eventually(async () => assert.deepEqual(await given(), { a: '10.1.0.9' }));
      await client.create(services, balancer('b'));
      await eventually(async () => assert.deepEqual(await given(), { a: '10.1.0.9', b: '10.1.0.8' }));
      await client.create(services, balancer('c'));
      await eventually(async () => {
        const { status } = await client.get(services, ref('c'));
        const said = conditionOf(status?.conditions, 'flotilla.dev/AddressGiven');
        const sentence = "all 2 addresses of the grid's pool 10.1.0.8/31 are in use";
        assert.deepEqual([said?.status, said?.message], ['False', sentence]);
        const told = (await client.list(events)).items.filter((one) => one.reason === 'PoolExhausted');
        assert.equal(told[0]?.message, sentence);
      });
      await changeLeader();
      await client.patch(services, ref('b'), { type: 'merge', body: { spec: { type: 'ClusterIP' } } });
      await eventually(async () => assert.deepEqual(await given(), { a: '10.1.0.9', b: undefined, c: '10.1.0.8' }));
      await client.delete(services, ref('a'));
      await client.create(services, balancer('d'));
      await eventually(async () => assert.deepEqual(await given(), { b: undefined, c: '10.1.0.8', d: '10.1.0.9' }));
      const body = { spec: { network: { loadBalancerPool: ['10.1.0.8/31', '10.2.0.7'] } } };
      await client.patch(grids, { name: 'main' }, { type: 'merge', body });
      await client.create(services, balancer('e'));
      await eventually(async () => assert.equal((await given()).e, '10.2.0.7'));
    });
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Ingress, Node, Service } from '../../resources/kinds.ts';
import { sampleNode, sampleNowMs } from '../sample-objects.ts';
import { type IngressObservation, letsIn, statusOf } from './plan.ts';

const backend = (name: string, port: object) => ({ service: { name, port } });
const ingress: Ingress = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { rules: [{ http: { paths: [{ path: '/', pathType: 'Prefix', backend: backend('web', { number: 80 }) }] } }] },
};
const web: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { ports: [{ name: 'http', port: 80 }] },
};

function node(
  name: string,
  addresses: readonly (readonly [string, string])[],
  given: Partial<Node['metadata']> = {},
): Node {
  const made = sampleNode(name, { ready: 'True' });
  return {
    ...made,
    metadata: { ...made.metadata, labels: { 'flotilla.dev/ingress': '' }, ...given },
    status: { ...made.status, addresses: addresses.map(([type, address]) => ({ type, address })) },
  };
}
const h1 = node('h1', [['InternalIP', '10.1.0.10']]);
const h2 = node('h2', [
  ['InternalIP', '10.1.0.9'],
  ['ExternalIP', '192.0.2.9'],
]);

const observe = (more: Partial<IngressObservation> = {}) =>
  statusOf({
    ingress,
    nodes: [h2, h1],
    service: (name) => (name === 'web' ? web : undefined),
    told: [],
    nowMs: sampleNowMs,
    ...more,
  });
const said = (more: Partial<IngressObservation>) => {
  const [condition] = observe(more).status.conditions ?? [];
  return [condition?.status, condition?.reason, condition?.message];
};

describe('the status of an Ingress object', () => {
  it('has the addresses of the ingress nodes, those for the outside where there are any', () => {
    const { status, warning } = observe();
    assert.deepEqual(status, {
      loadBalancer: { ingress: [{ ip: '10.1.0.10' }, { ip: '192.0.2.9' }] },
      conditions: [
        {
          type: 'flotilla.dev/Served',
          status: 'True',
          reason: 'Served',
          message: 'the ingress nodes let requests in as it says',
          lastTransitionTime: '2026-01-01T12:00:00Z',
        },
      ],
    });
    assert.equal(warning, undefined);
  });

  it('says what is missing, once', () => {
    assert.deepEqual(said({ nodes: [] }), [
      ...['False', 'NoIngressNode'],
      'no node that is ready lets requests in: flotilla node label NODE flotilla.dev/ingress=true',
    ]);
    assert.deepEqual(said({ service: () => undefined }), ['False', 'BackendMissing', 'there is no Service shop/web']);
    const other = { ...ingress, spec: { defaultBackend: backend('web', { number: 81 }) } };
    assert.deepEqual(said({ ingress: other }), [
      ...['False', 'BackendMissing', 'Service shop/web has no TCP port 81; it has 80 (http)'],
    ]);
    const first = observe({ nodes: [] });
    assert.equal(first.warning?.reason, 'NoIngressNode');
    const again = observe({ nodes: [], ingress: { ...ingress, status: first.status } });
    assert.equal(again.warning, undefined);
    assert.deepEqual(again.status, first.status);
    assert.equal(
      observe({ service: () => undefined, ingress: { ...ingress, status: first.status } }).warning?.reason,
      'BackendMissing',
    );
  });

  it('repeats what proxies say, with the nodes where not all of them do', () => {
    const told = (...pairs: [string, string][]) => pairs.map(([name, message]) => ({ node: name, message }));
    assert.deepEqual(said({ told: told(['h1', 'no'], ['h2', 'no']) }), ['False', 'NotServed', 'no']);
    assert.deepEqual(said({ told: told(['h1', 'no']) }), ['False', 'NotServed', 'no (on h1)']);
    const service = () => undefined;
    assert.deepEqual(said({ service, told: told(['h1', 'there is no Service shop/web'], ['h2', 'b']) }), [
      ...['False', 'BackendMissing', 'there is no Service shop/web; b (on h2)'],
    ]);
    const many = Array.from({ length: 7 }, (_, at): [string, string] => ['h1', `p${at}`]);
    assert.match(said({ nodes: [h1], told: told(...many) })[2] ?? '', /^p0; p1; p2; p3; p4; and 2 more$/);
  });

  it('keeps conditions of others', () => {
    const others = {
      type: 'x.y/Z',
      status: 'True',
      reason: 'R',
      message: '',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    };
    const { status } = observe({ ingress: { ...ingress, status: { conditions: [others] } } });
    assert.deepEqual(
      status.conditions?.map(({ type }) => type),
      ['x.y/Z', 'flotilla.dev/Served'],
    );
  });
});

describe('a node that lets the world in', () => {
  it('has the label, is ready, and was not given up', () => {
    assert.equal(letsIn(h1), true);
    assert.equal(letsIn(node('h3', [], { labels: {} })), false);
    assert.equal(letsIn(node('h3', [], { labels: { 'flotilla.dev/ingress': 'false' } })), false);
    assert.equal(letsIn(node('h3', [], { deletionTimestamp: '2026-01-01T00:00:00Z' })), false);
    assert.equal(letsIn({ ...h1, status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } }), false);
    assert.equal(
      letsIn({ ...h1, spec: { taints: [{ key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' }] } }),
      false,
    );
  });
});

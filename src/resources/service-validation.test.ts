import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applyDefaults } from './defaults.ts';
import { type Service, services } from './kinds.ts';
import { validate, validateUpdate } from './validate.ts';

const ports = [{ port: 80 }];

function service(spec: object, annotations?: Record<string, string>): Service {
  const metadata = { name: 'web', namespace: 'shop', ...(annotations ? { annotations } : {}) };
  const object = { apiVersion: 'v1', kind: 'Service', metadata, spec: structuredClone(spec) };
  return applyDefaults(services, object as Service);
}

const told = (one: Service) => validate(services, one).map((error) => `${error.field}: ${error.message}`);
const allPorts = { 'flotilla.dev/all-ports': 'true' };

describe('what a Service object may say', () => {
  const accepted: [object, Record<string, string>?][] = [
    [{ ports }],
    [{ ports, clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7'] }],
    [{ clusterIP: 'None' }],
    [{ type: 'NodePort', ports: [{ port: 80, nodePort: 30_080 }] }],
    [
      {
        type: 'NodePort',
        ports: [
          { name: 'a', port: 53, nodePort: 30_053, protocol: 'TCP' },
          { name: 'b', port: 53, nodePort: 30_053, protocol: 'UDP' },
        ],
      },
    ],
    [{ type: 'LoadBalancer', ports, loadBalancerIP: '10.1.0.9', loadBalancerSourceRanges: ['10.0.0.0/8'] }],
    [{ type: 'LoadBalancer', ports, loadBalancerClass: 'example.com/mine', externalTrafficPolicy: 'Local' }],
    [{ type: 'ExternalName', externalName: 'db.example.' }],
    [{ ports, externalIPs: ['192.0.2.7'], externalTrafficPolicy: 'Local' }],
    [{ ports, sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 86_400 } } }],
    [{}, allPorts],
    [{ ports: [{ port: 80, targetPort: 80 }] }, allPorts],
  ];
  for (const [spec, annotations] of accepted) {
    it(`takes ${JSON.stringify(spec)}${annotations ? ' with all ports' : ''}`, () =>
      assert.deepEqual(told(service(spec, annotations)), []));
  }

  const refused: [object, string, Record<string, string>?][] = [
    [{}, 'spec.ports: Required value'],
    [
      { ports, type: 'Magic' },
      'spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    ],
    [
      { ports, type: 'NodePort', clusterIP: 'None' },
      'spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for NodePort services',
    ],
    [
      { ports, type: 'LoadBalancer', clusterIP: 'None' },
      'spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for LoadBalancer services',
    ],
    [{ type: 'ExternalName' }, 'spec.externalName: Required value'],
    [
      { type: 'ExternalName', externalName: 'a', clusterIP: '10.96.0.7' },
      'spec.clusterIPs: Forbidden: may not be set for ExternalName services',
    ],
    [
      { ports, clusterIP: 'x' },
      'spec.clusterIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ],
    [
      { ports, clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.8'] },
      'spec.clusterIPs: Invalid value: ["10.96.0.8"]: first value must match `clusterIP`',
    ],
    [
      { ports: [{ port: 80, nodePort: 30_080 }] },
      "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
    ],
    [
      {
        type: 'NodePort',
        ports: [
          { name: 'a', port: 1, nodePort: 30_001 },
          { name: 'b', port: 2, nodePort: 30_001 },
        ],
      },
      'spec.ports[1].nodePort: Duplicate value: 30001',
    ],
    [
      { ports, sessionAffinity: 'Cookie' },
      'spec.sessionAffinity: Unsupported value: "Cookie": supported values: "ClientIP", "None"',
    ],
    [
      { ports, sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 0 } } },
      'spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0: must be greater than 0 and less than 86400',
    ],
    [
      { ports, externalTrafficPolicy: 'Local' },
      'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
    ],
    [
      { ports, internalTrafficPolicy: 'Near' },
      'spec.internalTrafficPolicy: Unsupported value: "Near": supported values: "Cluster", "Local"',
    ],
    [
      { ports, loadBalancerSourceRanges: ['10.0.0.0/8'] },
      "spec.loadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ],
    [
      { ports, loadBalancerClass: 'a/b' },
      "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ],
    [
      { ports, allocateLoadBalancerNodePorts: false },
      "spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ],
    [
      { type: 'LoadBalancer', ports, loadBalancerSourceRanges: ['all'] },
      'spec.loadBalancerSourceRanges[0]: Invalid value: "all": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
    ],
    [
      { ports, externalIPs: ['127.0.0.9'] },
      'spec.externalIPs[0]: Invalid value: "127.0.0.9": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    ],
    [
      { ports, externalIPs: ['0.0.0.0'] },
      'spec.externalIPs[0]: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)',
    ],
    [
      { type: 'LoadBalancer', ports, healthCheckNodePort: 30_001 },
      'spec.healthCheckNodePort: Forbidden: not supported by Flotilla: nodes have no such port; a load balancer of yours asks the node port itself',
    ],
    [
      { type: 'NodePort', ports },
      "metadata.annotations[flotilla.dev/all-ports]: Forbidden: may only be used when `type` is 'ClusterIP'",
      allPorts,
    ],
    [
      { ports: [{ port: 80, targetPort: 8080 }] },
      'spec.ports[0].targetPort: Invalid value: 8080: must be the port itself: flotilla.dev/all-ports changes none',
      allPorts,
    ],
  ];
  for (const [spec, sentence, annotations] of refused) {
    it(`refuses ${JSON.stringify(spec)}${annotations ? ' with all ports' : ''}`, () =>
      assert.deepEqual(told(service(spec, annotations)), [sentence]));
  }
});

describe('what an update of a Service object may change', () => {
  /** As the server does it: what it gave is kept, then defaults, then the rules. */
  const update = (next: object, old: Service) => {
    const sent = { ...old, spec: structuredClone(next) } as Service;
    const object = applyDefaults(services, services.prepareForUpdate?.(sent, old) ?? sent);
    return { object, errors: validateUpdate(services, object, old).map((error) => `${error.field}: ${error.message}`) };
  };
  const given = (spec: object) => service({ clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7'], ...spec });
  const web = given({ ports });
  const open = given({ type: 'NodePort', ports: [{ name: 'a', port: 80, nodePort: 30_080 }] });

  it('keeps the address that the server gave when the writer leaves it out', () => {
    const { object, errors } = update({ ports: [{ port: 81 }] }, web);
    assert.deepEqual([errors, object.spec.clusterIP, object.spec.clusterIPs], [[], '10.96.0.7', ['10.96.0.7']]);
  });

  it('keeps node ports by the name of the port, unless another port has the number now', () => {
    const kept = update({ type: 'NodePort', ports: [{ name: 'a', port: 8080 }] }, open).object;
    assert.equal(kept.spec.ports?.[0]?.nodePort, 30_080);
    const moved = {
      type: 'NodePort',
      ports: [
        { name: 'a', port: 80 },
        { name: 'b', port: 81, nodePort: 30_080 },
      ],
    };
    assert.deepEqual(
      update(moved, open).object.spec.ports?.map((port) => port.nodePort),
      [undefined, 30_080],
    );
  });

  const refused: [string, object, Service, string][] = [
    [
      'another address',
      { ports, clusterIP: '10.96.0.8' },
      web,
      'spec.clusterIPs[0]: Invalid value: ["10.96.0.8"]: may not change once set',
    ],
    [
      'headless now',
      { ports, clusterIP: 'None' },
      web,
      'spec.clusterIPs[0]: Invalid value: ["None"]: may not change once set',
    ],
    [
      'an address now',
      { ports, clusterIP: '10.96.0.8' },
      service({ ports, clusterIP: 'None' }),
      'spec.clusterIPs[0]: Invalid value: ["10.96.0.8"]: may not change once set',
    ],
  ];
  for (const [what, next, old, sentence] of refused) {
    it(`refuses ${what}`, () => assert.deepEqual(update(next, old).errors, [sentence]));
  }

  it('lets the address go with the type, and node ports, and what clients outside saw', () => {
    const outside = update({ ...open.spec, type: 'ExternalName', externalName: 'db.example' }, open);
    assert.deepEqual(outside.errors, []);
    const { clusterIP, clusterIPs, externalTrafficPolicy } = outside.object.spec;
    assert.deepEqual([clusterIP, clusterIPs, externalTrafficPolicy], [undefined, undefined, undefined]);
    const inside = update({ ...open.spec, type: 'ClusterIP' }, open);
    assert.deepEqual([inside.errors, inside.object.spec.ports?.[0]?.nodePort], [[], undefined]);
    assert.equal(inside.object.spec.clusterIP, '10.96.0.7');
  });

  it('gives a name of something outside an address when it becomes a service', () => {
    const { object, errors } = update({ ports }, service({ type: 'ExternalName', externalName: 'db.example' }));
    assert.deepEqual([errors, object.spec.type, object.spec.clusterIP], [[], 'ClusterIP', undefined]);
  });

  it('changes neither what is there nor what was sent', () => {
    const before = structuredClone(open);
    const sent = { ...open, spec: { ...structuredClone(open.spec), type: 'ClusterIP' } };
    const copy = structuredClone(sent);
    services.prepareForUpdate?.(sent, open);
    assert.deepEqual([open, sent], [before, copy]);
  });
});

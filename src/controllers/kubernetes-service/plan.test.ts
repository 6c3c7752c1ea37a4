import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EndpointSlice, Service } from '../../resources/kinds.ts';
import { type ApiServiceObservation, planApiService } from './plan.ts';

const clusterIP = '10.96.0.1';

/** What the steps make of it. */
function apply(observed: ApiServiceObservation): ApiServiceObservation {
  let { service } = observed;
  const slices = new Map(observed.slices.map((slice) => [slice.metadata.name, slice]));
  for (const step of planApiService(observed)) {
    if (step.type === 'createService') service = step.service;
    else if (step.type === 'deleteService') service = undefined;
    else if (step.type === 'deleteSlice') slices.delete(step.slice.metadata.name);
    else slices.set(step.slice.metadata.name, step.slice);
  }
  return { ...observed, service: service as Service, slices: [...slices.values()] };
}
const shown = (slices: readonly EndpointSlice[]) =>
  slices.map(({ addressType, endpoints, ports }) => [
    addressType,
    endpoints.map((one) => one.addresses[0]),
    ports?.[0]?.port,
  ]);

describe('plan of the Service kubernetes', () => {
  const cases: [string, string[], unknown[]][] = [
    ['one server', ['https://192.0.2.1:7443'], [['IPv4', ['192.0.2.1'], 7443]]],
    [
      'three of both families and two ports',
      ['https://192.0.2.2:7443', 'https://192.0.2.1:7443', 'https://[2001:db8::1]:7443', 'https://192.0.2.3'],
      [
        ['IPv4', ['192.0.2.1', '192.0.2.2'], 7443],
        ['IPv6', ['2001:db8::1'], 7443],
        ['IPv4', ['192.0.2.3'], 443],
      ],
    ],
    ['what nobody else can dial', ['https://127.0.0.1:7443', 'https://[::1]:7443', 'https://one.example:7443'], []],
  ];
  for (const [what, servers, expected] of cases) {
    it(what, () => {
      const made = apply({ service: undefined, clusterIP, slices: [], servers });
      assert.equal(made.service?.metadata.name, 'kubernetes');
      assert.deepEqual(shown(made.slices), expected);
      assert.deepEqual(planApiService(made), []);
    });
  }
  it('has the address that it is told, and is made anew for it where an earlier version made it without one', () => {
    const servers = ['https://192.0.2.1:7443'];
    const before = apply({ service: undefined, clusterIP: 'None', slices: [], servers });
    assert.equal(before.service?.spec.clusterIP, 'None');
    const observed = { ...before, clusterIP };
    assert.deepEqual(
      planApiService(observed).map((step) => step.type),
      ['deleteService'],
    );
    const after = apply(apply(observed));
    assert.equal(after.service?.spec.clusterIP, clusterIP);
    assert.deepEqual(planApiService(after), []);
  });
  it('follows servers that come and go', () => {
    const before = apply({
      service: undefined,
      clusterIP,
      slices: [],
      servers: ['https://192.0.2.1:7443', 'https://[2001:db8::1]:1'],
    });
    const after = apply({ ...before, servers: ['https://192.0.2.2:7443'] });
    assert.deepEqual(shown(after.slices), [['IPv4', ['192.0.2.2'], 7443]]);
    assert.deepEqual(planApiService(after), []);
  });
});

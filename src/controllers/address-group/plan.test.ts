import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { NamedPort } from '../../resources/address-groups.ts';
import type { AddressGroup } from '../../resources/kinds.ts';
import { type AddressGroupStep, addressesPerPart, planAddressGroup } from './plan.ts';

const name = 'abc';
const selector = { namespace: 'shop' };
const http: NamedPort = { name: 'http', protocol: 'TCP', port: 8080 };
const address = (at: number) => `10.80.${at >> 8}.${at & 255}`;
const range = (from: number, to: number, ports: NamedPort[] = []) =>
  new Map(Array.from({ length: to - from }, (_, at) => [address(from + at), ports]));

function applied(parts: readonly AddressGroup[], steps: readonly AddressGroupStep[]): AddressGroup[] {
  const touched = new Set(steps.map((step) => step.part.metadata.name));
  const rest = parts.filter((one) => !touched.has(one.metadata.name));
  return [...rest, ...steps.flatMap((step) => (step.type === 'deletePart' ? [] : [step.part]))];
}
const plan = (members: ReadonlyMap<string, readonly NamedPort[]>, parts: readonly AddressGroup[] = []) =>
  planAddressGroup({ name, selector, members, parts });
const held = (parts: readonly AddressGroup[]) =>
  parts.flatMap((one) => one.subsets?.flatMap((two) => two.addresses) ?? []);
const brief = (steps: readonly AddressGroupStep[]) => steps.map((step) => `${step.type} ${step.part.metadata.name}`);

describe('address group plan', () => {
  it('an empty group is there, so that nodes know that nobody is in it', () => {
    const steps = plan(new Map());
    assert.deepEqual(brief(steps), ['createPart abc-0']);
    assert.deepEqual(steps[0]?.part.spec, { namespace: 'shop', part: 0 });
    assert.deepEqual(steps[0]?.part.subsets, []);
    assert.equal(steps[0]?.part.metadata.labels?.['flotilla.dev/address-group'], name);
  });

  it('pods with the same named ports stand together', () => {
    const members = new Map([...range(2, 4), ...range(4, 6, [http])]);
    assert.deepEqual(plan(members)[0]?.part.subsets, [
      { addresses: ['10.80.0.2', '10.80.0.3'] },
      { addresses: ['10.80.0.4', '10.80.0.5'], ports: [http] },
    ]);
  });

  it('a pod that comes or goes among thousands changes one part', () => {
    const members = range(2, 5_000);
    const parts = applied([], plan(members));
    assert.equal(parts.length, 25);
    const more = new Map([...members, ...range(6_000, 6_001)]);
    assert.deepEqual(brief(plan(more, parts)), ['updatePart abc-24']);
    const fewer = new Map(members);
    fewer.delete(address(700));
    assert.deepEqual(brief(plan(fewer, parts)), ['updatePart abc-3']);
    const renamed = new Map([...members, [address(700), [http]]]);
    assert.deepEqual(brief(plan(renamed, parts)), ['updatePart abc-3']);
  });

  it('goes when no policy uses it', () => {
    const parts = applied([], plan(range(2, 500)));
    const steps = planAddressGroup({ name, selector: undefined, members: new Map(), parts });
    assert.deepEqual(brief(steps).sort(), ['deletePart abc-0', 'deletePart abc-1', 'deletePart abc-2']);
  });

  it('what somebody else wrote into it is put right', () => {
    const [part] = applied([], plan(range(2, 5)));
    assert.ok(part);
    const changed = { ...part, subsets: [{ addresses: ['192.0.2.1'] }] };
    assert.deepEqual(held(applied([changed], plan(range(2, 5), [changed]))), [...range(2, 5).keys()]);
    const other = { ...part, metadata: { ...part.metadata, name: 'foreign' } };
    assert.deepEqual(brief(plan(range(2, 5), [part, other])), ['deletePart foreign']);
    const moved = { ...part, spec: { namespace: 'other', part: 0 } };
    assert.deepEqual(brief(plan(range(2, 5), [moved])), ['deletePart abc-0']);
  });

  it('comes to rest from any earlier members, holds each address once, and no part is too large', () => {
    const anyMembers = fc
      .tuple(fc.nat(900), fc.nat(900), fc.integer({ min: 1, max: 7 }))
      .map(([from, count, step]) => new Map([...range(from, from + count)].filter((_, at) => at % step === 0)));
    fc.assert(
      fc.property(fc.array(anyMembers, { minLength: 1, maxLength: 4 }), (rounds) => {
        let parts: AddressGroup[] = [];
        for (const members of rounds) {
          let turns = 0;
          for (let steps = plan(members, parts); steps.length > 0; steps = plan(members, parts)) {
            parts = applied(parts, steps);
            assert.deepEqual(held(parts).sort(), [...members.keys()].sort());
            turns += 1;
            assert.ok(turns < 8, 'does not come to rest');
          }
          for (const part of parts) assert.ok(held([part]).length <= addressesPerPart);
        }
      }),
      { numRuns: 60 },
    );
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { findingValidMs, type Judgement, judgeNodes, type NodeSigns, type ProbeFinding, type Signs } from './judge.ts';

const hourMs = 3_600_000;

const node = (name: string, lastHeardMs: number | undefined, given: Partial<NodeSigns> = {}): NodeSigns => ({
  name,
  lastHeardMs,
  knownSinceMs: 0,
  isLocal: false,
  isLost: false,
  isConfirmed: false,
  ...given,
});
const missed = (atMs: number, ...by: string[]): ProbeFinding => ({ atMs, reachedBy: [], missedBy: by });
const reached = (atMs: number, ...by: string[]): ProbeFinding => ({ atMs, reachedBy: by, missedBy: [] });

function judge(nowMs: number, nodes: readonly NodeSigns[], given: Partial<Signs> = {}): Judgement {
  return judgeNodes({ nodes, listeningSinceMs: 0, nowMs, probes: new Map(), doubtedMs: new Map(), ...given });
}
const states = ({ verdicts }: Judgement) => Object.fromEntries([...verdicts].map(([name, one]) => [name, one.state]));

describe('whose silence is believed', () => {
  const dead = 100_000;
  const now = dead + 10_000;
  const findings = (...names: string[]) => new Map(names.map((name) => [name, missed(now - 1_000, 'h3')]));

  const table: [string, Judgement, Record<string, string>][] = [
    ['1 of 1', judge(now, [node('h1', dead)]), { h1: 'silent' }],
    [
      'one that has just joined and has not been heard yet, beside others that have been there for a minute',
      judge(now, [node('h1', now), node('h2', now), node('new', undefined, { knownSinceMs: now - 100 })]),
      { h1: 'heard', h2: 'heard', new: 'waiting' },
    ],
    [
      'one of an old name that joins anew',
      judge(now, [node('h1', now), node('h2', now), node('again', 5, { knownSinceMs: now - 100 })]),
      { h1: 'heard', h2: 'heard', again: 'waiting' },
    ],
    [
      'one that joined and never speaks',
      judge(now, [node('h1', now), node('h2', now), node('mute', undefined, { knownSinceMs: now - 3_000 })]),
      { h1: 'heard', h2: 'heard', mute: 'silent' },
    ],
    ['1 of 2', judge(now, [node('h1', dead), node('h2', now)]), { h1: 'silent', h2: 'heard' }],
    [
      '1 of 3',
      judge(now, [node('h1', dead), node('h2', now), node('h3', now)]),
      { h1: 'silent', h2: 'heard', h3: 'heard' },
    ],
    [
      '2 of 3 at once, not asked yet',
      judge(now, [node('h1', dead), node('h2', dead + 900), node('h3', now)]),
      { h1: 'doubted', h2: 'doubted', h3: 'heard' },
    ],
    [
      '2 of 3 at once, the third cannot reach them',
      judge(now, [node('h1', dead), node('h2', dead), node('h3', now)], { probes: findings('h1', 'h2') }),
      { h1: 'silent', h2: 'silent', h3: 'heard' },
    ],
    [
      '2 of 3 at once, the third reaches one',
      judge(now, [node('h1', dead), node('h2', dead), node('h3', now)], {
        probes: new Map([...findings('h1'), ['h2', reached(now - 1_000, 'h3')]]),
      }),
      { h1: 'silent', h2: 'doubted', h3: 'heard' },
    ],
    [
      '2 of 3 at once, what the third said is too old',
      judge(now, [node('h1', dead), node('h2', dead), node('h3', now)], {
        probes: new Map([['h1', missed(now - findingValidMs - 1, 'h3')]]),
      }),
      { h1: 'doubted', h2: 'doubted', h3: 'heard' },
    ],
    [
      '2 of 3 an hour apart',
      judge(now + hourMs, [
        node('h1', dead, { isLost: true }),
        node('h2', now + hourMs - 10_000),
        node('h3', now + hourMs),
      ]),
      { h1: 'silent', h2: 'silent', h3: 'heard' },
    ],
    [
      '2 of 3, twenty seconds apart: the same failure',
      judge(now + 20_000, [node('h1', dead, { isLost: true }), node('h2', dead + 20_000), node('h3', now + 20_000)]),
      { h1: 'silent', h2: 'doubted', h3: 'heard' },
    ],
    [
      '2 of 4 are not more than 55 %',
      judge(now, [node('h1', dead), node('h2', dead), node('h3', now), node('h4', now)]),
      { h1: 'silent', h2: 'silent', h3: 'heard', h4: 'heard' },
    ],
    [
      'the server alone cut off: all of 3, nobody to ask',
      judge(now, [node('h1', dead), node('h2', dead + 400), node('h3', dead + 800)]),
      { h1: 'doubted', h2: 'doubted', h3: 'doubted' },
    ],
    [
      'the server cut off, its own host has an agent: that one says nothing about the network',
      judge(now, [node('h1', now, { isLocal: true }), node('h2', dead), node('h3', dead)], {
        probes: new Map(),
      }),
      { h1: 'heard', h2: 'doubted', h3: 'doubted' },
    ],
    [
      'the agent on the server’s own host alone',
      judge(now, [node('h1', dead, { isLocal: true }), node('h2', now)]),
      { h1: 'silent', h2: 'heard' },
    ],
    [
      'an operator knows better',
      judge(now, [node('h1', dead, { isConfirmed: true }), node('h2', dead), node('h3', dead)]),
      { h1: 'silent', h2: 'doubted', h3: 'doubted' },
    ],
    [
      'a confirmation of one that answers is nothing',
      judge(now, [node('h1', now, { isConfirmed: true })]),
      { h1: 'heard' },
    ],
    [
      'server stopped for 5 s: timed anew',
      judge(now, [node('h1', now - 5_000), node('h2', now - 5_000)], { listeningSinceMs: now }),
      { h1: 'waiting', h2: 'waiting' },
    ],
    [
      'just started: nobody heard yet',
      judge(2_000, [node('h1', undefined), node('h2', undefined)]),
      { h1: 'waiting', h2: 'waiting' },
    ],
    [
      'just started, and nobody comes',
      judge(20_000, [node('h1', undefined), node('h2', undefined), node('h3', undefined)]),
      { h1: 'doubted', h2: 'doubted', h3: 'doubted' },
    ],
    [
      'lost long before this server: no part of a failure now',
      judge(now, [node('h1', undefined, { isLost: true }), node('h2', dead), node('h3', now)]),
      { h1: 'silent', h2: 'silent', h3: 'heard' },
    ],
    [
      'two held in doubt for an hour, and now the last one',
      judge(now + hourMs, [node('h1', dead), node('h2', dead), node('h3', now + hourMs - 10_000)]),
      { h1: 'doubted', h2: 'doubted', h3: 'doubted' },
    ],
    ['silent for less than 3 s', judge(dead + 2_900, [node('h1', dead)]), { h1: 'heard' }],
  ];
  for (const [name, judgement, expected] of table) {
    it(name, () => assert.deepEqual(states(judgement), expected));
  }

  it('asks before the shortest failover.after is over', () => {
    const { targets, askers } = judge(dead + 1_900, [
      node('h1', dead),
      node('h2', dead + 500),
      node('h3', dead + 1_900),
    ]);
    assert.deepEqual({ targets, askers }, { targets: ['h1', 'h2'], askers: ['h3'] });
  });

  it('asks about one silent node too, and never one that is lost or on the server’s own host', () => {
    assert.deepEqual(judge(now, [node('h1', dead), node('h2', now)]).targets, ['h1']);
    const own = node('h4', now, { isLocal: true });
    const old = node('h3', now, { isLost: true });
    assert.deepEqual(judge(now, [node('h1', dead), node('h2', dead), old, own]).askers, []);
  });

  it('one that nobody reaches stays silent when others stumble for a moment', () => {
    const probes = new Map([['h1', missed(now - 1_000, 'h3')]]);
    const given = { probes, doubtedMs: new Map([['h2', 0]]) };
    const stumbling = judge(now, [node('h1', dead), node('h2', now - 1_500), node('h3', now)], given);
    assert.equal(stumbling.verdicts.get('h1')?.state, 'silent');
    assert.equal(stumbling.doubtedMs.has('h1'), false);
  });

  it('says why', () => {
    const verdict = judge(now, [node('h1', dead), node('h2', dead)]).verdicts.get('h1');
    assert.ok(verdict?.state === 'doubted');
    assert.equal(
      verdict.why,
      '2 of 2 nodes fell silent together, and no other node could be asked about it: this server may be cut off',
    );
  });
});

describe('the end of a doubt', () => {
  const cutMs = 100_000;
  const plugMs = cutMs + 60_000;

  /** Judges every quarter of a second; gives the states of a node as they change, with the time since the cable is back. */
  function watch(name: string, backAfterMs: Readonly<Record<string, number>>, forMs: number) {
    const seen: [string, number][] = [];
    let doubtedMs: ReadonlyMap<string, number> = new Map();
    for (let nowMs = cutMs; nowMs < plugMs + forMs; nowMs += 250) {
      const nodes = Object.entries(backAfterMs).map(([one, afterMs]) =>
        node(one, nowMs >= plugMs + afterMs ? nowMs : cutMs),
      );
      const judgement = judge(nowMs, nodes, { doubtedMs });
      doubtedMs = judgement.doubtedMs;
      const state = judgement.verdicts.get(name)?.state ?? '';
      if (seen.at(-1)?.[0] !== state) seen.push([state, nowMs - plugMs]);
    }
    return seen;
  }

  it('whoever comes back a little later than the others was never silent', () => {
    assert.deepEqual(
      watch('h1', { h1: 2_500, h2: 250, h3: 500 }, 10_000).map(([state]) => state),
      ['heard', 'doubted', 'waiting', 'heard'],
    );
  });

  it('whoever does not come back is silent from then on', () => {
    const seen = watch('h1', { h1: hourMs, h2: 250, h3: 250 }, 20_000);
    assert.deepEqual(seen.at(-2)?.[0], 'waiting');
    assert.deepEqual(seen.at(-1), ['silent', 3_000]);
  });

  it('a cut of less than 3 s leaves nothing behind either', () => {
    const lastHeard = plugMs - 2_900;
    const first = judge(plugMs, [node('h1', lastHeard), node('h2', lastHeard)]);
    const { doubtedMs } = first;
    const second = judge(plugMs + 200, [node('h1', lastHeard), node('h2', plugMs + 200)], { doubtedMs });
    assert.equal(second.verdicts.get('h1')?.state, 'waiting');
  });
});

describe('whose silence is believed, in any cluster', () => {
  const anyNode = fc.record({
    silentMs: fc.constantFrom(0, 200, 2_000, 4_000, 12_000, 60_000, hourMs),
    isLost: fc.boolean(),
    isLocal: fc.boolean(),
  });
  const anyCluster = fc.array(anyNode, { minLength: 1, maxLength: 9 });
  const now = 2 * hourMs;
  const build = (given: readonly { silentMs: number; isLost: boolean; isLocal: boolean }[]) =>
    given.map(({ silentMs, ...facts }, at) => node(`h${at}`, now - silentMs, facts));

  it('never believes that all went silent at once, when nobody else says so', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 9 }), fc.integer({ min: 3_000, max: hourMs }), (count, silentMs) => {
        const all = Array.from({ length: count }, (_, at) => node(`h${at}`, now - silentMs + (at % 3) * 400));
        assert.ok([...judge(now, all).verdicts.values()].every((one) => one.state !== 'silent'));
      }),
    );
  });

  it('whoever another node reaches is not given up while many are silent', () => {
    fc.assert(
      fc.property(anyCluster, (given) => {
        const nodes = build(given);
        const probes = new Map(nodes.map((one) => [one.name, reached(now, 'h0')]));
        const { verdicts, targets } = judge(now, nodes, { probes });
        const isMany = targets.length >= 2 && given.every(({ isLost, isLocal }) => !isLost && !isLocal);
        if (isMany && targets.length > 0.55 * given.length)
          for (const name of targets) assert.notEqual(verdicts.get(name)?.state, 'silent');
      }),
    );
  });

  it('is heard, or waited for, or judged: once each, and by its silence alone', () => {
    fc.assert(
      fc.property(anyCluster, (given) => {
        const nodes = build(given);
        const { verdicts } = judge(now, nodes);
        assert.equal(verdicts.size, nodes.length);
        given.forEach(({ silentMs }, at) => {
          assert.equal(verdicts.get(`h${at}`)?.state === 'heard', silentMs < 3_000);
        });
      }),
    );
  });

  it('one more answering node never makes a silent one doubted', () => {
    fc.assert(
      fc.property(anyCluster, (given) => {
        const nodes = build(given);
        const before = states(judge(now, nodes));
        const after = states(judge(now, [...nodes, node('fresh', now)]));
        for (const [name, state] of Object.entries(before)) {
          if (state === 'silent') assert.equal(after[name], 'silent', name);
        }
      }),
    );
  });
});

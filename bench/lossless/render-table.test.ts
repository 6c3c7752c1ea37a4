import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Ledger } from './ledger.ts';
import { renderTable } from './render-table.ts';
import { summarize } from './summary.ts';
import { Tally } from './tally.ts';

function measured(failed: number, refused: number) {
  const tally = new Tally();
  tally.phase = 'drains';
  for (let number = 0; number < 1_000; number++) tally.answered('h1-new', 7);
  for (let number = 0; number < failed + refused; number++) {
    tally.failed(number, {
      ...{ id: `0-${number}`, atMs: 0, phase: 'drains', kind: 'h2', target: '', error: '', afterMs: 0, restedMs: 0 },
      ...{ isSlow: false, stage: number < failed ? 'cut' : 'refused' },
    });
  }
  const report = tally.report(0, 1_000 + failed + refused, {
    ...{
      opened: 1,
      goaways: 0,
      unsent: 0,
      certificates: [],
      moved: 0,
      closedIdle: { fin: 0, reset: 0, 'unasked bytes': 0 },
    },
    webSockets: { opened: 1, echoes: 2_000, told: 3, cut: 0, notOpened: 0 },
  });
  const runs = [{ name: 'drains', rounds: 10, seconds: 33, problems: [] }];
  return { planned: summarize([report], new Ledger().check([report]), runs, 10) };
}

describe('the table of docs/performance.md', () => {
  it('has a row for each phase, a column for each cluster, and what nobody planned below', () => {
    const fault = {
      failed: 4,
      refused: 0,
      secondsOfErrors: 0.3,
      maxMs: 5_012,
      requests: 5_000,
      problems: [],
      failuresByKind: {},
    };
    const world = measured(0, 2);
    const faults = { 'kill -9 of an instance': { ...fault, log: world.planned.log, targets: ['10.0.0.1:80'] } };
    const text = renderTable({ flotilla: { ...world, faults }, swarm: measured(9, 0) });
    const lines = text.split('\n');
    assert.equal(lines[0], '| while | Flotilla | Swarm |');
    assert.match(
      lines[2] ?? '',
      /^\| drains \| 10 in 33 s: 0 \(and 2 refused\) of 1,002; p99 7 ms \| 10 in 33 s: 9 of 1,009;/,
    );
    assert.match(text, /\| \*\*all: failed\*\* \| \*\*0 \(and 2 refused\) of 1,002\*\* \| \*\*9 of 1,009\*\* \|/);
    assert.match(text, /\| 2,000; 3; 0 \| 2,000; 3; 0 \|/);
    assert.match(text, /\| kill -9 of an instance \| 0.3 s \| 4 of 5,000 \| 5012 ms \| 0 \|/);
  });

  it('leaves out what was not measured', () => {
    assert.doesNotMatch(
      renderTable({ flotilla: measured(0, 0), swarm: { notMeasured: 'no docker' } }),
      /Swarm|planned/,
    );
  });
});

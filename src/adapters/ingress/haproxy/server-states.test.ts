import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NamedSection, Registry } from './registry.ts';
import { keptStates } from './server-states.ts';

const checked = (checks: string): NamedSection => ({ serverWords: ['check'], mode: 'http', checks });
const of = (sections: Readonly<Record<string, NamedSection>>): Registry => {
  const inForce = new Set(Object.keys(sections));
  return { generation: 1, frame: '', sections: new Map(Object.entries(sections)), inForce, nextSpare: 1 };
};
/** As HAProxy 2.6 prints one. */
const row = (section: string, server: string, state: number, admin: number) =>
  `3 ${section} 7 ${server} 10.0.0.1 ${state} ${admin} 1 1 9 8 2 0 6 0 0 0 - 80 - 0 0 - - 0`;
const printed = (...rows: readonly string[]) => ['1', '# be_id be_name …', ...rows, ''].join('\n');

test('who is down stays down; maintenance and who is up are for the configuration to say', () => {
  const sections = of({ web: checked('a') });
  const down = row('web', 's1', 0, 0);
  const others = [row('web', 's2', 2, 0), row('web', 's3', 0, 1), row('web', 's4', 0, 4), row('gone', 's1', 0, 0)];
  assert.equal(keptStates(printed(down, ...others), sections, sections), `1\n${down}\n`);
});

test('a section that is new has what others found that check the same; one that is not checked has nothing', () => {
  const before = of({ old: checked('a'), twin: checked('a'), own: checked('b'), plain: checked('c') });
  const next = of({
    new: checked('a'),
    twin: checked('a'),
    own: checked('b'),
    changed: checked('d'),
    plain: { serverWords: [], mode: 'http' },
  });
  const rows = [row('old', 's1', 0, 0), row('twin', 's2', 0, 0), row('own', 's3', 0, 0), row('plain', 's4', 0, 0)];
  const expected = [row('new', 's1', 0, 0), row('twin', 's2', 0, 0), row('new', 's2', 0, 0), row('own', 's3', 0, 0)];
  assert.deepEqual(
    keptStates(printed(...rows), before, next)
      .trim()
      .split('\n')
      .sort(),
    ['1', ...expected].sort(),
  );
});

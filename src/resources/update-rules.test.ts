import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeUpdateRules, updateRuleProblems, updateRulesOf } from './update-rules.ts';

describe('update rules', () => {
  it('are read from annotations; what nobody can read counts as not said', () => {
    const own = {
      'flotilla.dev/auto-rollback': 'true',
      'flotilla.dev/update-window': '22:00-02:00',
      'flotilla.dev/update-timezone': 'Europe/Helsinki',
      'flotilla.dev/update-pause': '1m30s',
    };
    const window = { startMinutes: 1_320, endMinutes: 120, timezone: 'Europe/Helsinki' };
    const rules = updateRulesOf(own);
    assert.deepEqual(rules, { autoRollback: true, window, pauseMs: 90_000 });
    assert.deepEqual(describeUpdateRules(rules), [
      'in 22:00-02:00 Europe/Helsinki',
      'batches 90 s apart',
      'taken back when they fail',
    ]);
    assert.deepEqual(updateRuleProblems(own), []);
    const bad = {
      'flotilla.dev/auto-rollback': 'yes',
      'flotilla.dev/update-window': 'at night',
      'flotilla.dev/update-timezone': 'Mars/Olympus',
      'flotilla.dev/update-pause': '25h',
    };
    assert.deepEqual(updateRulesOf(bad), { autoRollback: false });
    assert.deepEqual(
      updateRuleProblems(bad).map(({ key }) => key),
      Object.keys(bad),
    );
    assert.deepEqual(updateRulesOf(undefined), { autoRollback: false });
  });
});
